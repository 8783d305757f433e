import { TempFolder } from '../temp-folder.ts'
import { freePort, ServerProcess } from './server-process.ts'

/** A NATS server with JetStream on 127.0.0.1. */
export interface NATSServer extends AsyncDisposable {
  readonly server: ServerProcess
  /** `127.0.0.1:PORT`. */
  readonly address: string
  /** Ends it and starts it again, at the same address with the same data. */
  restart(): Promise<void>
}

/**
 * Starts Debian's nats-server.
 * @param args further ones, for users or tokens
 * @throws Error when it is not installed or does not start
 */
export async function startNATS(args: readonly string[] = []): Promise<NATSServer> {
  const folder = new TempFolder('nats')
  const port = await freePort()
  const start = () =>
    ServerProcess.start({
      program: 'nats-server',
      args: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder.path, ...args],
      port,
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    })
  let server = await start().catch((error: unknown) => {
    folder[Symbol.dispose]()
    throw error
  })
  return {
    get server() {
      return server
    },
    address: `127.0.0.1:${port}`,
    async restart() {
      await server[Symbol.asyncDispose]()
      server = await start()
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}
