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
  writevSync,
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
import type { BlobBody } from '@sqlstream/storage'
import { PrimaryError, wrapFileError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import { syncFolder } from './state-folder.ts'

const WHOLE_BODY = 1 << 20
const TEMP = '.capture.tmp'

/** A level-0 file that waits for its upload. */
export interface SpoolFile extends TXIDRange {
  readonly path: string
  readonly size: number
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
  /** Makes the file durable under its name. */
  finish(range: TXIDRange): SpoolFile
  abort(): void
}

/** The local folder of level-0 files that are not known to be in the replica. */
export class Spool {
  readonly #path: string
  readonly #failpoint: FailpointHook | undefined

  constructor(path: string, failpoint?: FailpointHook) {
    this.#path = path
    this.#failpoint = failpoint
    rmSync(join(path, TEMP), { force: true })
  }

  /** What is there, in TXID order. */
  list(): SpoolFile[] {
    return Spool.read(this.#path)
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
    return files.sort((a, b) => (a.minTXID < b.minTXID ? -1 : a.minTXID > b.minTXID ? 1 : 0))
  }

  create(): SpoolWriter {
    const temp = join(this.#path, TEMP)
    let fd = openTemp(temp)
    let size = 0
    const close = (): void => {
      if (fd >= 0) closeSync(fd)
      fd = -1
    }
    return {
      write: (...parts) => {
        try {
          size += writeAll(fd, parts)
        } catch (error) {
          throw wrapFileError(error, temp)
        }
      },
      finish: (range) => {
        const path = join(this.#path, formatFilename(range))
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
   * Moves all files into a folder of their own below `folder`, named by their range; undefined when there is none.
   * @throws the system's error
   */
  keepAll(folder: string): KeptFiles | undefined {
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
    rmSync(file.path, { force: true })
  }
}

/** Writes all bytes of all parts and returns their number. */
function writeAll(fd: number, parts: readonly Uint8Array[]): number {
  let left = parts.filter(({ length }) => length > 0)
  let size = 0
  while (left.length > 0) {
    let written = writevSync(fd, left)
    size += written
    // It may have stopped anywhere, within a part too.
    const next = left.findIndex(({ length }) => {
      if (written < length) return true
      written -= length
      return false
    })
    left = next === -1 ? [] : [left[next]!.subarray(written), ...left.slice(next + 1)]
  }
  return size
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
  if (file.size <= WHOLE_BODY) return new Uint8Array(readFileSync(file.path))
  return { size: file.size, open: () => createReadStream(file.path, { highWaterMark: 256 * 1024 }) }
}
