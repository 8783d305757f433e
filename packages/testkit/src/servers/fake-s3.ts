import { FaultyHttpServer, type HttpServerOptions, type HttpTraffic } from './faulty-http-server.ts'
import type { HttpFaultPlan, HttpFaultRule } from './http-faults.ts'
import type { S3Bucket } from './s3-bucket.ts'
import { S3Service, type S3ServiceOptions } from './s3-service.ts'

/** An S3 of our own in this process: AWS's rules in memory, a plan of faults, and the modes of weaker services. */
export class FakeS3 implements AsyncDisposable {
  readonly #service: S3Service
  readonly #server: FaultyHttpServer

  private constructor(service: S3Service, server: FaultyHttpServer) {
    this.#service = service
    this.#server = server
  }

  static async start(options: S3ServiceOptions & HttpServerOptions = {}): Promise<FakeS3> {
    const service = new S3Service(options)
    return new FakeS3(service, await FaultyHttpServer.start(service, options))
  }

  /** `http://127.0.0.1:PORT`. Path style only. */
  get url(): string {
    return this.#server.url
  }

  /** @throws Error when there is no such bucket */
  bucket(name: string): S3Bucket {
    const bucket = this.#service.buckets.get(name)
    if (bucket === undefined) throw new Error(`no bucket ${name}`)
    return bucket
  }

  /** Sets what goes wrong from now on. Requests have the names of S3's operations: PutObject, UploadPart, … */
  plan(rules?: readonly HttpFaultRule[]): HttpFaultPlan {
    return this.#server.plan(rules)
  }

  /** What came and went since the last plan. @param name an operation; default: all together */
  traffic(name?: string): HttpTraffic {
    return this.#server.traffic(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
  }
}
