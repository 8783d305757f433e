import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2'
import { type HostAddress, type HostKeyProblem, judgeHostKey, wantedKeyTypes } from './host-key.ts'
import type { Login } from './login.ts'
import { ConnectionFailure } from './sftp-errors.ts'

/** A logged-in client and its SFTP channel. */
export interface Channel {
  readonly client: Client
  readonly sftp: SFTPWrapper
}

/** @throws ConnectionFailure within the limit, whatever the server does; the reason of `signal` */
export async function connect(
  address: HostAddress,
  login: Login,
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<Channel> {
  // Loaded here: who never opens an SFTP store does not pay for ssh2. It is CommonJS, so its names are below `default`.
  const { default: ssh2 } = await import('ssh2')
  signal.throwIfAborted()
  const client = new ssh2.Client()
  let refusal: HostKeyProblem | undefined
  const { promise, resolve, reject } = Promise.withResolvers<Channel>()
  const timer = setTimeout(
    () => reject(new ConnectionFailure(`no connection within ${limitMs} ms`, { code: 'timeout' })),
    limitMs,
  )
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  // Stays for good: an error that nobody listens to would end the process.
  client.on('error', (error) => reject(refusal === undefined ? failureOf(error) : hostKeyFailure(refusal)))
  client.on('close', () =>
    reject(new ConnectionFailure('the server closed the connection', { code: 'unavailable' })),
  )
  client.on('ready', () => {
    // Requests are small and waited for: collecting them costs 40 ms each.
    client.setNoDelay(true)
    client.sftp((error, sftp) => {
      if (error) reject(noSFTP(error))
      else resolve({ client, sftp })
    })
  })
  const config: ConnectConfig = {
    host: address.host,
    port: address.port,
    username: login.username,
    authHandler: [...login.methods],
    // Our own limit covers everything.
    readyTimeout: 0,
    hostVerifier: (key: Buffer) => {
      refusal = judgeHostKey(key, address, login.hostKeys)
      return refusal === undefined
    },
  }
  const types = wantedKeyTypes(address, login.hostKeys)
  if (types !== undefined) Object.assign(config, { algorithms: { serverHostKey: types } })
  try {
    try {
      client.connect(config)
    } catch (error) {
      // A type of host key that ssh2 does not know.
      const hint = 'Give a host key of another type: ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa.'
      throw new ConnectionFailure((error as Error).message, { code: 'invalid-config', hint, cause: error })
    }
    return await promise
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function hostKeyFailure({ message, hint }: HostKeyProblem): ConnectionFailure {
  return new ConnectionFailure(message, { code: 'permission-denied', hint })
}

function noSFTP(cause: Error): ConnectionFailure {
  const hint = 'The server must offer the SFTP subsystem to this user.'
  return new ConnectionFailure('the server offers no SFTP', { code: 'unsupported', hint, cause })
}

const NOT_FOUND_HOSTS: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'EAI_AGAIN'])

function failureOf(error: Error & { readonly level?: string }): ConnectionFailure {
  const { message, level } = error
  switch (level) {
    case 'client-authentication':
      return new ConnectionFailure('the server refused the login', {
        code: 'permission-denied',
        hint: 'Check user, key and password; `ssh -v` shows what the server accepts.',
        cause: error,
      })
    case 'handshake':
      return new ConnectionFailure(message, {
        code: 'unsupported',
        hint: 'Server and client have no key exchange, cipher or kind of host key in common; `ssh -v` shows what the server offers.',
        cause: error,
      })
    default: {
      const code: unknown = Reflect.get(error, 'code')
      const hint = NOT_FOUND_HOSTS.has(code)
        ? 'Check the name of the host.'
        : code === 'ECONNREFUSED'
          ? 'Is the server running, and is the port right?'
          : undefined
      return new ConnectionFailure(message, { code: 'unavailable', hint, cause: error })
    }
  }
}
