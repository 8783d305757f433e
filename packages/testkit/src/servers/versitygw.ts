import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { TempFolder } from '../temp-folder.ts'
import { installOnce } from './install-once.ts'
import { S3_CREDENTIALS, type S3Server } from './s3-server.ts'
import { freePort, ServerProcess } from './server-process.ts'

const VERSION = 'v1.8.0'
const INSTALL_LIMIT_MS = 900_000

/**
 * Starts versitygw, an S3 on a folder, compiled by Go. It keeps metadata in extended attributes, which the temporary folder must
 * have: with its other way, files beside (`--sidecar`), conditional puts lose updates.
 */
export async function startVersityGW(): Promise<S3Server> {
  const program = await installOnce(`versitygw-${VERSION}`, (folder) =>
    runProgram('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${VERSION}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' },
      timeoutMs: INSTALL_LIMIT_MS,
    }),
  )
  const folder = new TempFolder('versitygw')
  const port = await freePort()
  mkdirSync(folder.join('objects'))
  const { accessKeyId, secretAccessKey } = S3_CREDENTIALS
  const server = await ServerProcess.start({
    program: join(program, 'versitygw'),
    args: [
      ...['--access', accessKeyId, '--secret', secretAccessKey],
      ...['--port', `127.0.0.1:${port}`, '--region', 'us-east-1', '--quiet'],
      ...['posix', folder.join('objects')],
    ],
    port,
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    credentials: S3_CREDENTIALS,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      folder.remove()
    },
  }
}
