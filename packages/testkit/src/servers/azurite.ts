import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { freePort, ServerProcess } from './server-process.ts'

/** Microsoft's emulator of Azure Blob Storage on 127.0.0.1, with one account; it forgets all when it ends. */
export interface Azurite extends AsyncDisposable {
  readonly server: ServerProcess
  readonly account: string
  /** Base64, random. */
  readonly accountKey: string
  /** `http://127.0.0.1:PORT`, without the account. */
  readonly url: string
  /** The address of the account, as clients want it. */
  readonly endpoint: string
}

/** @throws Error when it is not installed or does not start */
export async function startAzurite(): Promise<Azurite> {
  const require = createRequire(import.meta.url)
  const main = join(dirname(require.resolve('azurite/package.json')), 'dist/src/blob/main.js')
  const account = 'testaccount'
  const accountKey = randomBytes(32).toString('base64')
  const port = await freePort()
  const server = await ServerProcess.start({
    program: process.execPath,
    args: [main, '--blobHost', '127.0.0.1', '--blobPort', String(port), ...OPTIONS],
    port,
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${accountKey}` },
    // It takes 3 s alone and loads hundreds of files.
    startLimitMs: 60_000,
  })
  const url = `http://127.0.0.1:${port}`
  return {
    server,
    account,
    accountKey,
    url,
    endpoint: `${url}/${account}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const OPTIONS = ['--inMemoryPersistence', '--silent', '--disableTelemetry', '--skipApiVersionCheck']
