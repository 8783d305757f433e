import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { freePort, ServerProcess } from './server-process.ts'

/** How OpenSSH is started. */
export interface SSHDOptions {
  /** SFTP requests that it refuses: "hardlink", "posix-rename", "fsync", … Default: none. */
  readonly deny?: readonly string[]
}

/** OpenSSH for the current user, with keys of its own. */
export class SSHD implements AsyncDisposable {
  readonly host: string = '127.0.0.1'
  readonly user: string = userInfo().username
  /** An empty folder on the server, which is this machine. */
  readonly root: string
  /** Private key that may log in. */
  readonly keyPath: string
  /** The host's public key, "ssh-ed25519 AAAA…". */
  readonly hostKey: string
  readonly process: ServerProcess
  readonly #folder: string

  constructor(folder: string, process: ServerProcess) {
    this.#folder = folder
    this.process = process
    this.root = join(folder, 'root')
    this.keyPath = join(folder, 'user-key')
    this.hostKey = readFileSync(join(folder, 'host-key.pub'), 'utf8').split(' ').slice(0, 2).join(' ').trim()
  }

  get port(): number {
    return this.process.port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Starts OpenSSH's server on 127.0.0.1. @throws Error where it is not installed or does not start */
export async function startSSHD(options: SSHDOptions = {}): Promise<SSHD> {
  // In memory where that is possible: what a disk takes for fsync is nobody's question here.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sqlstream-sshd-'))
  try {
    for (const name of ['host-key', 'user-key']) {
      await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, name)])
    }
    mkdirSync(join(folder, 'root'))
    // As root it wants its folder for privilege separation, which the package's own service would make.
    if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true })
    const port = await freePort()
    const { deny = [] } = options
    const config = [
      'ListenAddress 127.0.0.1',
      `Port ${port}`,
      `HostKey ${join(folder, 'host-key')}`,
      `AuthorizedKeysFile ${join(folder, 'user-key.pub')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'MaxStartups 100',
      'UseDNS no',
      `Subsystem sftp internal-sftp${deny.length === 0 ? '' : ` -P ${deny.join(',')}`}`,
    ]
    writeFileSync(join(folder, 'config'), `${config.join('\n')}\n`)
    const process = await ServerProcess.start({
      // It starts itself again for each connection, and wants its full path for that.
      program: '/usr/sbin/sshd',
      args: ['-D', '-e', '-f', join(folder, 'config')],
      port,
    })
    return new SSHD(folder, process)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
