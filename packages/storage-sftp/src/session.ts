import { abortable } from '@sqlstream/storage'
import { connect } from './connect.ts'
import { Connection } from './connection.ts'
import type { HostAddress } from './host-key.ts'
import { loadLogin } from './login.ts'
import { ConnectionFailure } from './sftp-errors.ts'
import type { SFTPStoreOptions } from './sftp-options.ts'

/** The one connection of a store: made when needed, made anew when it has died, closed when nobody needs it. */
export class Session {
  readonly address: HostAddress
  readonly #options: SFTPStoreOptions
  readonly #end = new AbortController()
  #connection: Connection | undefined
  #opening: Promise<Connection> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: SFTPStoreOptions) {
    this.#options = options
    this.address = { host: options.host, port: options.port ?? 22 }
  }

  /** What there is without making one. */
  get current(): Connection | undefined {
    return this.#connection?.isAlive === true ? this.#connection : undefined
  }

  /** @throws ConnectionFailure */
  async connection(signal?: AbortSignal): Promise<Connection> {
    this.#end.signal.throwIfAborted()
    if (this.current !== undefined) return this.current
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return abortable(this.#opening, signal)
  }

  end(): void {
    this.#end.abort(new ConnectionFailure('the store was disposed', { code: 'unknown' }))
    clearTimeout(this.#timer)
    this.#connection?.destroy()
  }

  async #open(): Promise<Connection> {
    const { requestLimitMs = 30_000, connectLimitMs = 20_000, idleLimitMs = 60_000 } = this.#options
    const { signal } = this.#end
    const login = await loadLogin(this.#options)
    const channel = await connect(this.address, login, { limitMs: connectLimitMs, signal })
    const connection = new Connection(channel, requestLimitMs)
    this.#connection = connection
    this.#watch(connection, idleLimitMs)
    return connection
  }

  /** Closes an idle connection: firewalls drop such without a word, and it costs the server a process. */
  #watch(connection: Connection, idleLimitMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!connection.isAlive) return
      if (connection.idleMs >= idleLimitMs) connection.destroy()
      else this.#watch(connection, idleLimitMs)
    }, idleLimitMs)
    this.#timer.unref()
  }
}
