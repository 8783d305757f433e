import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import {
  decodeHeader,
  formatFilename,
  HEADER_SIZE,
  type Header,
  parseFilename,
  type TXIDRange,
} from '@sqlstream/ltx'
import { type BlobBody, concatBytes } from '@sqlstream/storage'
import { PrimaryError, wrapFileError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import { syncFolder } from './state-folder.ts'
import { writeAll } from './write-all.ts'

const WHOLE_BODY = 1 << 20
const TEMP = '.capture.tmp'
const SPILL_TEMP = '.spill.tmp'
/** A file up to this size is kept in memory where a log makes it durable. */
const LOGGED_BYTES = 256 * 1024

/** A level-0 file that waits for its upload. */
export interface SpoolFile extends TXIDRange {
  readonly path: string
  readonly size: number
  /** Its bytes, as long as they are in a log and not under its path. */
  content?: Uint8Array | undefined
}

/** Files that were moved out of the spool. */
export interface KeptFiles extends TXIDRange {
  /** Absolute. */
  readonly folder: string
  readonly files: number
}

/** A file being written to the spool. */
export interface SpoolWriter {
  /**
   * Appends the parts, in one call of the system if it takes them all.
   * @throws PrimaryError `disk-full`, or the system's error
   */
  write(...parts: readonly Uint8Array[]): void
  /** Makes the file durable under its name, or gives it back with its content: then a log has to. */
  finish(range: TXIDRange): SpoolFile
  abort(): void
}

/** The local folder of level-0 files that are not known to be in the replica. */
export class Spool {
  readonly #path: string
  readonly #failpoint: FailpointHook | undefined
  readonly #logged: boolean
  /** Files that are in a log and not yet in the folder, by path. */
  readonly #held = new Map<string, SpoolFile>()

  /** @param options.logged small files are kept in memory until {@link spill}: a log makes them durable before */
  constructor(path: string, failpoint?: FailpointHook, options: { readonly logged?: boolean } = {}) {
    this.#path = path
    this.#failpoint = failpoint
    this.#logged = options.logged ?? false
    for (const name of [TEMP, SPILL_TEMP]) rmSync(join(path, name), { force: true })
  }

  /** What is there, in TXID order. */
  list(): SpoolFile[] {
    return inOrder([...Spool.read(this.#path), ...this.#held.values()])
  }

  /**
   * The files of a spool folder that may belong to another process.
   * @throws PrimaryError `state-folder` for an LTX file whose name says no range
   */
  static read(folder: string): SpoolFile[] {
    const files: SpoolFile[] = []
    for (const name of readdirSync(folder)) {
      const range = parseFilename(name)
      if (range === undefined) {
        // A file that is overlooked is a hole in the history; only our unfinished one is none.
        if (name.endsWith('.ltx'))
          throw new PrimaryError('state-folder', `${join(folder, name)} is no name of ours`)
        continue
      }
      const path = join(folder, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      // It was uploaded and removed just now.
      if (stat !== undefined) files.push({ ...range, path, size: stat.size })
    }
    return inOrder(files)
  }

  create(): SpoolWriter {
    const temp = join(this.#path, TEMP)
    const held: Uint8Array[] = []
    let fd = this.#logged ? -1 : openTemp(temp)
    let size = 0
    const close = (): void => {
      if (fd >= 0) closeSync(fd)
      fd = -1
    }
    const write = (parts: readonly Uint8Array[]): void => {
      try {
        if (fd < 0) fd = openTemp(temp)
        writeAll(fd, parts)
      } catch (error) {
        throw wrapFileError(error, temp)
      }
    }
    return {
      write: (...parts) => {
        const before = size
        for (const { length } of parts) size += length
        if (this.#logged && size <= LOGGED_BYTES) {
          // They are views of memory that is used again.
          for (const part of parts) held.push(part.slice())
          return
        }
        write(this.#logged && before <= LOGGED_BYTES ? [...held.splice(0), ...parts] : parts)
      },
      finish: (range) => {
        const path = join(this.#path, formatFilename(range))
        if (fd < 0) {
          const file: SpoolFile = {
            ...range,
            path,
            size,
            content: held.length === 1 ? held[0] : concatBytes(held, size),
          }
          this.#held.set(path, file)
          return file
        }
        try {
          this.#failpoint?.('spool:before-sync')
          fsyncSync(fd)
          close()
          this.#failpoint?.('spool:before-rename')
          renameSync(temp, path)
          syncFolder(this.#path)
          this.#failpoint?.('spool:after-rename')
        } catch (error) {
          throw wrapFileError(error, path)
        }
        return { ...range, path, size }
      },
      abort: () => {
        close()
        rmSync(temp, { force: true })
      },
    }
  }

  /**
   * Makes durable in the folder what was kept in memory.
   * @throws PrimaryError `disk-full`, or the system's error: what is not in the folder then is still kept
   */
  spill(): void {
    if (this.#held.size === 0) return
    for (const file of this.#held.values()) writeDurable(join(this.#path, SPILL_TEMP), file, this.#failpoint)
    syncFolder(this.#path)
    this.#failpoint?.('spool:after-rename')
    for (const file of this.#held.values()) file.content = undefined
    this.#held.clear()
  }

  /**
   * Moves all files into a folder of their own below `folder`, named by their range; undefined when there is none.
   * @throws the system's error
   */
  keepAll(folder: string): KeptFiles | undefined {
    this.spill()
    const files = this.list()
    const [first, last] = [files[0], files.at(-1)]
    if (first === undefined || last === undefined) return undefined
    const { minTXID } = first
    const { maxTXID } = last
    const name = formatFilename({ minTXID, maxTXID }).replace(/\.ltx$/, '')
    mkdirSync(folder, { recursive: true })
    // The same range may have been kept before: by another history.
    let target = join(folder, name)
    for (let n = 2; existsSync(target); n++) target = join(folder, `${name}-${n}`)
    mkdirSync(target)
    for (const { path } of files) renameSync(path, join(target, basename(path)))
    for (const path of [target, folder, this.#path]) syncFolder(path)
    return { folder: target, minTXID, maxTXID, files: files.length }
  }

  remove(file: SpoolFile): void {
    if (this.#held.delete(file.path)) return
    try {
      unlinkSync(file.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

function inOrder(files: SpoolFile[]): SpoolFile[] {
  return files.sort((a, b) => (a.minTXID < b.minTXID ? -1 : a.minTXID > b.minTXID ? 1 : 0))
}

/** Its name is not yet durable. */
function writeDurable(temp: string, file: SpoolFile, failpoint: FailpointHook | undefined): void {
  try {
    const fd = openSync(temp, 'w')
    try {
      writeAll(fd, [file.content as Uint8Array])
      failpoint?.('spool:before-sync')
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    failpoint?.('spool:before-rename')
    renameSync(temp, file.path)
  } catch (error) {
    throw wrapFileError(error, file.path)
  }
}

function openTemp(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw wrapFileError(error, path)
  }
}

/** The header of a spooled file. @throws LTXError when it is damaged */
export function readSpoolHeader(file: SpoolFile): Header {
  if (file.content) return decodeHeader(file.content.subarray(0, HEADER_SIZE))
  const fd = openSync(file.path, 'r')
  try {
    const bytes = new Uint8Array(HEADER_SIZE)
    const read = readSync(fd, bytes, 0, HEADER_SIZE, 0)
    return decodeHeader(bytes.subarray(0, read))
  } finally {
    closeSync(fd)
  }
}

/** The file as an upload that can be repeated. Small ones are read at once. */
export function spoolBody(file: SpoolFile): BlobBody {
  if (file.content) return file.content
  if (file.size <= WHOLE_BODY) return new Uint8Array(readFileSync(file.path))
  return { size: file.size, open: () => createReadStream(file.path, { highWaterMark: 256 * 1024 }) }
}
