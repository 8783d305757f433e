import type { FileEntry, SFTPWrapper, Stats } from 'ssh2'
import type { Channel } from './connect.ts'
import { ConnectionFailure, RequestFailure, STATUS } from './sftp-errors.ts'
import type { Attributes } from './version.ts'

/** What `readFolder` yields. */
export interface NamedAttributes {
  readonly name: string
  readonly attributes: Attributes
}

type Callback<T> = (error: (Error & { code?: unknown }) | null | undefined, value: T) => void

/**
 * SFTP requests as promises. ssh2 never calls back for what is sent after a connection has died, so every request has a limit here,
 * and the end of the connection rejects all that wait. Rejects with RequestFailure or ConnectionFailure.
 */
export class Connection {
  readonly #channel: Channel
  readonly #limitMs: number
  readonly #waiting = new Set<(reason: ConnectionFailure) => void>()
  #failure: ConnectionFailure | undefined
  #handles = 0
  #lastUse = performance.now()

  constructor(channel: Channel, limitMs: number) {
    this.#channel = channel
    this.#limitMs = limitMs
    const { client, sftp } = channel
    client.on('error', (error: Error) => this.#fail(lost(error.message, error)))
    sftp.on('error', (error: Error) => this.#fail(lost(error.message, error)))
    for (const emitter of [client, sftp]) {
      emitter.on('end', () => this.#fail(lost('the server ended the connection')))
      emitter.on('close', () => this.#fail(lost('the connection was closed')))
    }
  }

  get isAlive(): boolean {
    return this.#failure === undefined
  }

  /** Milliseconds since something was sent; 0 while an answer is waited for or a file is open. */
  get idleMs(): number {
    return this.#waiting.size > 0 || this.#handles > 0 ? 0 : performance.now() - this.#lastUse
  }

  /** Creates a file that must not exist. */
  async create(path: string): Promise<Buffer> {
    return this.#opened(await this.#request('create', (sftp, done) => sftp.open(path, 'wx', done)))
  }

  /** Opens a file for reading, or a folder for `fsync`. */
  async open(path: string): Promise<Buffer> {
    return this.#opened(await this.#request('open', (sftp, done) => sftp.open(path, 'r', done)))
  }

  async close(handle: Buffer): Promise<void> {
    this.#handles -= 1
    await this.#request('close', (sftp, done) => sftp.close(handle, done))
  }

  async write(handle: Buffer, bytes: Uint8Array, position: number): Promise<void> {
    const { buffer, byteOffset, length } = bytes
    const data = Buffer.from(buffer, byteOffset, length)
    await this.#request('write', (sftp, done) => sftp.write(handle, data, 0, length, position, done))
  }

  /** Reads into all of `target`; fewer bytes only at the end of the file. */
  async read(handle: Buffer, target: Buffer, position: number): Promise<number> {
    let filled = 0
    while (filled < target.length) {
      const at = filled
      const bytesRead = await this.#request<number>('read', (sftp, done) =>
        sftp.read(handle, target, at, target.length - at, position + at, done),
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  async fstat(handle: Buffer): Promise<Attributes> {
    return attributesOf(await this.#request<Stats>('fstat', (sftp, done) => sftp.fstat(handle, done)))
  }

  /** Of the path itself, never of what a symbolic link points to. */
  async lstat(path: string): Promise<Attributes> {
    return attributesOf(await this.#request<Stats>('lstat', (sftp, done) => sftp.lstat(path, done)))
  }

  /** Follows symbolic links. */
  async stat(path: string): Promise<Attributes> {
    return attributesOf(await this.#request<Stats>('stat', (sftp, done) => sftp.stat(path, done)))
  }

  /** Seconds since 1970. */
  async setTimes(handle: Buffer, atime: number, mtime: number): Promise<void> {
    await this.#request('setstat', (sftp, done) => sftp.futimes(handle, atime, mtime, done))
  }

  /** @throws RequestFailure with `STATUS.unsupported` where the server has no such extension; so do `replace` and `link` */
  async fsync(handle: Buffer): Promise<void> {
    await this.#request('fsync', (sftp, done) => sftp.ext_openssh_fsync(handle, done))
  }

  async link(existing: string, path: string): Promise<void> {
    await this.#request('link', (sftp, done) => sftp.ext_openssh_hardlink(existing, path, done))
  }

  /** Renames as POSIX does: in one step over what is there. */
  async replace(from: string, to: string): Promise<void> {
    await this.#request('replace', (sftp, done) => sftp.ext_openssh_rename(from, to, done))
  }

  /** The rename of the protocol. OpenSSH refuses an existing target, other servers replace it. */
  async rename(from: string, to: string): Promise<void> {
    await this.#request('rename', (sftp, done) => sftp.rename(from, to, done))
  }

  async remove(path: string): Promise<void> {
    await this.#request('remove', (sftp, done) => sftp.unlink(path, done))
  }

  async makeFolder(path: string): Promise<void> {
    await this.#request('mkdir', (sftp, done) => sftp.mkdir(path, done))
  }

  async removeFolder(path: string): Promise<void> {
    await this.#request('rmdir', (sftp, done) => sftp.rmdir(path, done))
  }

  /** Request by request, so that a large folder is no reason for a time limit. */
  async readFolder(path: string): Promise<NamedAttributes[]> {
    const handle = this.#opened(
      await this.#request<Buffer>('opendir', (sftp, done) => sftp.opendir(path, done)),
    )
    const entries: NamedAttributes[] = []
    try {
      for (;;) {
        const page = await this.#request<FileEntry[] | undefined>('readdir', (sftp, done) =>
          sftp.readdir(handle, (error: Error | undefined, list) =>
            // The end is told as an error, status 1.
            error !== undefined && Reflect.get(error, 'code') === 1
              ? done(null, undefined)
              : done(error, list),
          ),
        )
        if (page === undefined) return entries
        for (const { filename, attrs } of page) {
          entries.push({ name: filename, attributes: attributesOf(attrs as Stats) })
        }
      }
    } finally {
      if (this.isAlive) await this.close(handle)
    }
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#fail(lost('it was closed on this side'))
  }

  #opened(handle: Buffer): Buffer {
    this.#handles += 1
    return handle
  }

  #request<T = void>(name: string, send: (sftp: SFTPWrapper, done: Callback<T>) => void): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const end = (): void => {
      clearTimeout(timer)
      this.#waiting.delete(reject)
    }
    const timer = setTimeout(() => {
      this.#fail(
        new ConnectionFailure(`no answer to ${name} within ${this.#limitMs} ms`, { code: 'timeout' }),
      )
    }, this.#limitMs)
    this.#waiting.add(reject)
    this.#lastUse = performance.now()
    const done: Callback<T> = (error, value) => {
      end()
      if (!error) resolve(value)
      else if (typeof error.code === 'number') reject(new RequestFailure(name, error.code, error.message))
      else this.#fail(lost(error.message, error), reject)
    }
    try {
      send(this.#channel.sftp, done)
    } catch (error) {
      end()
      // How ssh2 says that the server has no such extension.
      reject(new RequestFailure(name, STATUS.unsupported, (error as Error).message))
    }
    return promise
  }

  #fail(failure: ConnectionFailure, also?: (reason: ConnectionFailure) => void): void {
    this.#failure ??= failure
    also?.(this.#failure)
    for (const reject of this.#waiting) reject(this.#failure)
    this.#waiting.clear()
    this.#channel.client.destroy()
  }
}

function lost(message: string, cause?: Error): ConnectionFailure {
  return new ConnectionFailure(`connection lost: ${message}`, { code: 'unavailable', cause })
}

function attributesOf(stats: Stats): Attributes {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other'
  return { kind, size: stats.size, mtime: stats.mtime, atime: stats.atime }
}
