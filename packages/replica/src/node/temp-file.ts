import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { SIDECARS, type Target } from './folder.ts'
import { removeJournal } from './restore-journal.ts'

/** The file that a restore writes before its target appears. One name per target, so that a later restore finds it. */
export class TempFile {
  readonly path: string
  readonly target: Target
  readonly #inode: bigint
  readonly #device: bigint
  #fd: number | undefined

  /** Removes what an earlier restore left there and creates the file. */
  static create(path: string, target: Target): TempFile {
    sweep(path)
    // Never opens what is there: after a kill at the last step the old name may still be a link to the finished target.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
    return new TempFile(path, target, openSync(path, flags, target.kind === 'file' ? 0o600 : 0o644))
  }

  /** Opens the file that an earlier restore left, if it is this one and has no other name; undefined otherwise. */
  static reopen(
    path: string,
    target: Target,
    { inode, device }: { readonly inode: string; readonly device: string },
  ): TempFile | undefined {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    const isIt =
      stats?.isFile() && stats.nlink === 1n && `${stats.ino}` === inode && `${stats.dev}` === device
    if (!isIt) return undefined
    return new TempFile(path, target, openSync(path, constants.O_RDWR | constants.O_NOFOLLOW))
  }

  /** Removes what an earlier restore left there and makes a copy of a file, which shares its blocks where it can. */
  static copy(path: string, target: Target, from: string): TempFile {
    sweep(path)
    copyFileSync(from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    return new TempFile(path, target, openSync(path, constants.O_RDWR | constants.O_NOFOLLOW))
  }

  private constructor(path: string, target: Target, fd: number) {
    this.path = path
    this.target = target
    this.#fd = fd
    const stats = fstatSync(this.#fd, { bigint: true })
    this.#inode = stats.ino
    this.#device = stats.dev
    if (target.kind === 'file') {
      fchmodSync(this.#fd, target.mode)
      // Only root may give files away; for everybody else the new file is as new files are.
      if (process.getuid?.() === 0) fchownSync(this.#fd, target.uid, target.gid)
    }
  }

  /** Writes all bytes at an offset. */
  write(bytes: Uint8Array, offset: number): void {
    let done = 0
    while (done < bytes.byteLength) {
      done += writeSync(this.#open(), bytes, done, bytes.byteLength - done, offset + done)
    }
  }

  /** Reads at an offset; returns the bytes read, fewer at the end of the file. */
  read(target: Uint8Array, offset: number): number {
    let done = 0
    while (done < target.byteLength) {
      const size = readSync(this.#open(), target, done, target.byteLength - done, offset + done)
      if (size === 0) break
      done += size
    }
    return done
  }

  /** Bytes. */
  size(): number {
    return fstatSync(this.#open()).size
  }

  /** What names the file, whatever it is called. */
  get identity(): { readonly inode: string; readonly device: string } {
    return { inode: `${this.#inode}`, device: `${this.#device}` }
  }

  /** Cuts the file or lengthens it by a hole. */
  resize(bytes: number): void {
    ftruncateSync(this.#open(), bytes)
  }

  /** Makes the content survive a power cut. */
  async sync(): Promise<void> {
    await promisify(fsync)(this.#open())
  }

  /** Makes what was written so far survive a power cut, beside further writes. */
  async syncData(): Promise<void> {
    await promisify(fdatasync)(this.#open())
  }

  /** Closes the descriptor; the file stays. */
  close(): void {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Whether the name still leads to this file: a second restore to the same target would have replaced it. */
  isInPlace(): boolean {
    const stats = statSync(this.path, { bigint: true, throwIfNoEntry: false })
    return stats !== undefined && stats.ino === this.#inode && stats.dev === this.#device
  }

  /** Removes the file, if it is still this one, and what SQLite may have put beside it. */
  discard(): void {
    this.close()
    if (this.isInPlace()) sweep(this.path)
  }

  #open(): number {
    if (this.#fd === undefined) throw new TypeError('the file is closed')
    return this.#fd
  }
}

/** Removes a temp file, its journal, and what SQLite may have put beside it during a check. */
export function sweep(path: string): void {
  removeJournal(path)
  for (const suffix of ['', ...SIDECARS]) rmSync(path + suffix, { force: true })
}
