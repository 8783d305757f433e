import type { PageSize } from '@sqlstream/ltx'
import {
  decodeWALHeader,
  WAL_FRAME_HEADER_SIZE,
  WAL_HEADER_SIZE,
  type WALHeader,
  type WALIndexHeader,
  walChecksum,
} from '@sqlstream/wal'
import type { DatabaseFiles } from '../../src/sqlite/database-files.ts'

/** One frame of a WAL to be made. */
export interface Frame {
  readonly pgno: number
  /** Size of the database after it, in pages; absent when it does not end a transaction. */
  readonly commit?: number
  /** Every byte of the page. Default: the number of the frame. */
  readonly fill?: number
}

/** One read of a file, in bytes. */
export interface FileRead {
  readonly file: 'wal' | 'database'
  readonly offset: number
  readonly length: number
}

/** A WAL and a database file in memory, which count what is read from them. */
export class MemoryFiles {
  readonly reads: FileRead[] = []
  wal: Uint8Array = new Uint8Array(0)
  database: Uint8Array = new Uint8Array(0)
  readonly pageSize: PageSize
  readonly #salt1: number
  readonly #salt2: number

  constructor(pageSize: PageSize = 512, salts: readonly [number, number] = [11, 22]) {
    this.pageSize = pageSize
    this.#salt1 = salts[0]
    this.#salt2 = salts[1]
  }

  /** As what capture works with. */
  get files(): DatabaseFiles {
    return {
      walHeader: (): WALHeader | undefined =>
        this.wal.length < WAL_HEADER_SIZE
          ? undefined
          : decodeWALHeader(this.wal.subarray(0, WAL_HEADER_SIZE)),
      readWAL: (into: Uint8Array, offset: number) => this.#read('wal', into, offset),
      readDatabase: (into: Uint8Array, offset: number) => {
        into.fill(0, this.#read('database', into, offset))
      },
    } as unknown as DatabaseFiles
  }

  /** Writes a whole generation: header and frames. Returns what the wal-index says about it. */
  write(frames: readonly Frame[], visible: number = frames.length): WALIndexHeader {
    const frameSize = WAL_FRAME_HEADER_SIZE + this.pageSize
    this.wal = new Uint8Array(WAL_HEADER_SIZE + frames.length * frameSize)
    const view = new DataView(this.wal.buffer)
    const head = [0x377f0682, 3007000, this.pageSize, 0, this.#salt1, this.#salt2]
    for (const [i, value] of head.entries()) view.setUint32(i * 4, value)
    const state = new Uint32Array(2)
    walChecksum(state, this.wal, 0, 24, false)
    view.setUint32(24, state[0]!)
    view.setUint32(28, state[1]!)
    for (const [i, { pgno, commit = 0, fill = i + 1 }] of frames.entries()) {
      const at = WAL_HEADER_SIZE + i * frameSize
      view.setUint32(at, pgno)
      view.setUint32(at + 4, commit)
      view.setUint32(at + 8, this.#salt1)
      view.setUint32(at + 12, this.#salt2)
      this.wal.fill(fill, at + WAL_FRAME_HEADER_SIZE, at + frameSize)
      walChecksum(state, this.wal, at, 8, false)
      walChecksum(state, this.wal, at + WAL_FRAME_HEADER_SIZE, this.pageSize, false)
      view.setUint32(at + 16, state[0]!)
      view.setUint32(at + 20, state[1]!)
    }
    return this.index(visible)
  }

  /** A wal-index under which the first `mxFrame` frames are visible. */
  index(mxFrame: number): WALIndexHeader {
    const { checksum1, checksum2 } = this.checksumAt(mxFrame)
    return {
      version: 3007000,
      change: mxFrame,
      pageSize: this.pageSize,
      bigEndianChecksums: false,
      mxFrame,
      pageCount: 0,
      frameChecksum1: checksum1,
      frameChecksum2: checksum2,
      salt1: this.#salt1,
      salt2: this.#salt2,
      backfill: 0,
      backfillAttempted: 0,
      readMarks: new Uint32Array(5),
    }
  }

  /** The running checksum that frame `n` carries. */
  checksumAt(n: number): { checksum1: number; checksum2: number } {
    if (n === 0) return { checksum1: 0, checksum2: 0 }
    const view = new DataView(this.wal.buffer, this.offset(n))
    return { checksum1: view.getUint32(16), checksum2: view.getUint32(20) }
  }

  /** Where a frame (from 1) begins. */
  offset(frame: number): number {
    return WAL_HEADER_SIZE + (frame - 1) * (WAL_FRAME_HEADER_SIZE + this.pageSize)
  }

  #read(file: 'wal' | 'database', into: Uint8Array, offset: number): number {
    this.reads.push({ file, offset, length: into.length })
    const bytes = this[file].subarray(Math.min(offset, this[file].length), offset + into.length)
    into.set(bytes)
    return bytes.length
  }
}
