import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { installOnce } from './install-once.ts'
import { S3_CREDENTIALS, type S3Server } from './s3-server.ts'
import { freePort, ServerProcess } from './server-process.ts'

const VERSION = '5.2.5'
const INSTALL_LIMIT_MS = 600_000

/** Its own program checks conditions and writes in two steps; here a request is one step, once its body has come. */
const SERVER = `
import io, sys, threading
from werkzeug.serving import run_simple
from moto.server import DomainDispatcherApplication, create_backend_app
moto = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()
def app(environ, start_response):
    length = int(environ.get('CONTENT_LENGTH') or 0)
    environ['wsgi.input'] = io.BytesIO(environ['wsgi.input'].read(length))
    with lock:
        return list(moto(environ, start_response))
run_simple('127.0.0.1', int(sys.argv[1]), app, threaded=True)
`

/**
 * Starts moto, an S3 in memory written in Python, from PyPI. It looks at no signatures.
 * @param minPartBytes least bytes of a part of an upload that is not the last. Default: 5 MiB
 */
export async function startMoto(minPartBytes: number = 5 << 20): Promise<S3Server> {
  const venv = await installOnce(`moto-${VERSION}`, async (folder) => {
    await runProgram('python3', ['-m', 'venv', folder])
    // Its extra named "server" brings ten times as much, for services that are not S3.
    const packages = [`moto[s3]==${VERSION}`, 'flask', 'flask-cors']
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]
    await runProgram(join(folder, 'bin', 'python'), pip, { timeoutMs: INSTALL_LIMIT_MS })
  })
  const port = await freePort()
  const server = await ServerProcess.start({
    program: join(venv, 'bin', 'python'),
    args: ['-c', SERVER, String(port)],
    env: { ...process.env, S3_UPLOAD_PART_MIN_SIZE: String(minPartBytes) },
    port,
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    credentials: S3_CREDENTIALS,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
