import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram } from '../run-program.ts'
import { freePort, ServerProcess } from './server-process.ts'

/** Of fsouza's fake-gcs-server: older ones ignore the conditions of resumable uploads. */
const VERSION = 'v1.56.1'
const MODULE = 'github.com/fsouza/fake-gcs-server'
/** Its build fetches and compiles some hundred packages. */
const BUILD_LIMIT_MS = 900_000

/** A running fake-gcs-server with one bucket. */
export interface FakeGCSServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly process: ServerProcess
}

/**
 * Starts fake-gcs-server in memory with a bucket `bucket`; builds it with Go into node_modules/.cache at first, which takes minutes.
 *
 * @throws Error when there is no Go, or it cannot be built or started
 */
export async function startFakeGCSServer(): Promise<FakeGCSServer> {
  const program = await build()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const options = ['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory']
  const args = [...options, '-external-url', url, '-public-host', `127.0.0.1:${port}`, '-log-level', 'error']
  const process = await ServerProcess.start({ program, args, port })
  const made = await fetch(`${url}/storage/v1/b`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"bucket"}',
  })
  if (!made.ok) {
    await process[Symbol.asyncDispose]()
    throw new Error(`fake-gcs-server makes no bucket: ${made.status} ${await made.text()}`)
  }
  return { url, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() }
}

async function build(): Promise<string> {
  const cache = fileURLToPath(new URL('../../../../node_modules/.cache/fake-gcs-server/', import.meta.url))
  const program = join(cache, `fake-gcs-server-${VERSION}`)
  if (existsSync(program)) return program
  mkdirSync(cache, { recursive: true })
  // Several test processes may do this at once: each makes its own, the last rename stays.
  const bin = mkdtempSync(join(cache, 'bin-'))
  try {
    await runProgram('go', ['install', `${MODULE}@${VERSION}`], {
      env: { ...process.env, GOBIN: bin },
      timeoutMs: BUILD_LIMIT_MS,
    })
    renameSync(join(bin, 'fake-gcs-server'), program)
  } finally {
    rmSync(bin, { recursive: true, force: true })
  }
  return program
}
