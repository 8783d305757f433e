import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { installOnce } from './install-once.ts'
import { freePort, ServerProcess } from './server-process.ts'

/** Of fsouza's fake-gcs-server: older ones ignore the conditions of resumable uploads. */
const VERSION = 'v1.56.1'
/** Its build fetches and compiles some hundred packages. */
const INSTALL_LIMIT_MS = 900_000

/** A running fake-gcs-server with one bucket. */
export interface FakeGCSServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
}

/**
 * Starts fake-gcs-server in memory with a bucket `bucket`; compiled by Go, which takes minutes at first.
 *
 * @throws Error when there is no Go, or it cannot be built or started
 */
export async function startFakeGCSServer(): Promise<FakeGCSServer> {
  const program = await installOnce(`fake-gcs-server-${VERSION}`, (folder) =>
    runProgram('go', ['install', `github.com/fsouza/fake-gcs-server@${VERSION}`], {
      env: { ...process.env, GOBIN: folder },
      timeoutMs: INSTALL_LIMIT_MS,
    }),
  )
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const options = ['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory']
  const args = [...options, '-external-url', url, '-public-host', `127.0.0.1:${port}`, '-log-level', 'error']
  const server = await ServerProcess.start({ program: join(program, 'fake-gcs-server'), args, port })
  const made = await fetch(`${url}/storage/v1/b`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"bucket"}',
  })
  if (!made.ok) {
    await server[Symbol.asyncDispose]()
    throw new Error(`fake-gcs-server makes no bucket: ${made.status} ${await made.text()}`)
  }
  return { url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
