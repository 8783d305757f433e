import { FaultyHttpServer, type HttpTraffic } from './faulty-http-server.ts'
import type { GCSBucket } from './gcs-bucket.ts'
import { GCSService, type GCSServiceOptions } from './gcs-service.ts'
import type { HttpFaultPlan, HttpFaultRule } from './http-faults.ts'

/** A Google Cloud Storage of our own in this process: its JSON API in memory, conditions honoured, a plan of faults. */
export class FakeGCS implements AsyncDisposable {
  readonly #service: GCSService
  readonly #server: FaultyHttpServer

  private constructor(service: GCSService, server: FaultyHttpServer) {
    this.#service = service
    this.#server = server
  }

  static async start(options: GCSServiceOptions = {}): Promise<FakeGCS> {
    const service = new GCSService(options)
    return new FakeGCS(service, await FaultyHttpServer.start(service))
  }

  /** `http://127.0.0.1:PORT`: an endpoint, or a value for STORAGE_EMULATOR_HOST. */
  get url(): string {
    return this.#server.url
  }

  /** @throws Error when there is no such bucket */
  bucket(name: string): GCSBucket {
    const bucket = this.#service.buckets.get(name)
    if (bucket === undefined) throw new Error(`no bucket ${name}`)
    return bucket
  }

  /** Forgets all resumable uploads, as the service may. */
  loseSessions(): void {
    this.#service.sessions.clear()
  }

  /** Sets what goes wrong from now on. Requests have names like 'objects.insert' and 'uploads.put': see `GCSCall`. */
  plan(rules?: readonly HttpFaultRule[]): HttpFaultPlan {
    return this.#server.plan(rules)
  }

  /** What came and went since the last plan. @param name an operation; default: all together */
  traffic(name?: string): HttpTraffic {
    return this.#server.traffic(name)
  }

  /** Connections that are open at the moment. */
  connections(): Promise<number> {
    return this.#server.connections()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
  }
}
