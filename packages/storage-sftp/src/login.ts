import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { AnyAuthMethod } from 'ssh2'
import type { HostKeyPolicy } from './host-key.ts'
import { parseKnownHosts } from './known-hosts.ts'
import { ConnectionFailure } from './sftp-errors.ts'
import type { SFTPStoreOptions } from './sftp-options.ts'

/** What a connection needs beside the address. Read anew for each: keys and known hosts may change meanwhile. */
export interface Login {
  readonly username: string
  /** In the order in which they are tried. */
  readonly methods: readonly AnyAuthMethod[]
  readonly hostKeys: HostKeyPolicy
}

/** @throws ConnectionFailure 'invalid-config' when a named file cannot be read, or there is nothing to log in with */
export async function loadLogin(options: SFTPStoreOptions): Promise<Login> {
  const username = options.user ?? userInfo().username
  return {
    username,
    methods: await methodsOf(options, username),
    hostKeys: {
      pinned: options.hostKeys ?? [],
      known: (await knownHostsOf(options)).flatMap(parseKnownHosts),
      any: options.anyHostKey ?? false,
    },
  }
}

async function methodsOf(options: SFTPStoreOptions, username: string): Promise<AnyAuthMethod[]> {
  const { keyPath, password, passphrase } = options
  const methods: AnyAuthMethod[] = []
  const secret = passphrase === undefined ? {} : { passphrase }
  if (keyPath !== undefined) {
    const key = await readNamed(keyPath, 'key-path')
    const problem = await keyProblem(key, passphrase)
    if (problem !== undefined) {
      throw new ConnectionFailure(`key-path: ${problem.message}`, {
        code: 'invalid-config',
        hint: 'Give a private key in the format of OpenSSH or PEM, and its passphrase if it has one.',
        cause: problem,
      })
    }
    methods.push({ type: 'publickey', username, key, ...secret })
  }
  if (password !== undefined) {
    methods.push({ type: 'password', username, password })
    // Servers with PAM often know passwords only as the answer to a question.
    methods.push({
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
    })
  }
  if (methods.length > 0) return methods
  const agent = process.env['SSH_AUTH_SOCK']
  if (agent) methods.push({ type: 'agent', username, agent })
  for (const name of ['id_ed25519', 'id_ecdsa', 'id_rsa']) {
    const key = await readIfThere(join(homedir(), '.ssh', name))
    // One with a passphrase that we do not have is left to the agent.
    if (key === undefined || (await keyProblem(key, passphrase)) !== undefined) continue
    methods.push({ type: 'publickey', username, key, ...secret })
  }
  if (methods.length > 0) return methods
  throw new ConnectionFailure('there is no key and no password to log in with', {
    code: 'invalid-config',
    hint: 'Give key-path=FILE or a password in the URL, start an agent, or put a key into ~/.ssh.',
  })
}

async function keyProblem(key: Buffer, passphrase: string | undefined): Promise<Error | undefined> {
  const { default: ssh2 } = await import('ssh2')
  const parsed = ssh2.utils.parseKey(key, passphrase)
  return parsed instanceof Error ? parsed : undefined
}

async function knownHostsOf({ knownHostsPaths }: SFTPStoreOptions): Promise<string[]> {
  if (knownHostsPaths !== undefined) {
    return Promise.all(knownHostsPaths.map(async (path) => (await readNamed(path, 'known-hosts')).toString()))
  }
  const usual = [join(homedir(), '.ssh/known_hosts'), '/etc/ssh/ssh_known_hosts']
  const texts = await Promise.all(usual.map(readIfThere))
  return texts.flatMap((text) => (text === undefined ? [] : [text.toString()]))
}

async function readNamed(path: string, option: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new ConnectionFailure(`${option}: ${(error as Error).message}`, {
      code: 'invalid-config',
      hint: `Give ${option} a file that this user can read.`,
      cause: error,
    })
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch {
    // Not there, or not for us: nobody named it.
    return undefined
  }
}
