import type { PageSize } from '@sqlstream/ltx'
import { FrameScanner, WAL_FRAME_HEADER_SIZE, type WALIndexHeader } from '@sqlstream/wal'
import { discontinuous } from '../errors.ts'
import type { DatabaseFiles } from '../sqlite/database-files.ts'
import { frameOffset } from '../sqlite/wal-end.ts'
import type { WALPosition } from '../state/position.ts'
import type { FrameTable } from './frame-table.ts'

/** A capture is cut at the first commit after this many bytes of WAL. */
export const CUT_BYTES: number = 64 << 20
/** A stretch up to this size is read once and encoded from memory; a longer one is read again. */
const KEEP_BYTES = 16 << 20
/** Frames are read this many bytes at a time, so that they are verified while they are in the processor's cache. */
const READ_BYTES = 1 << 20

/** What a stretch of the WAL holds. */
export interface ScannedFrames {
  /** Frame before the first of the stretch, from 0. */
  readonly from: number
  /** Where the stretch ends: always on a commit. */
  readonly end: WALPosition
  /** Database size after it, in pages. */
  readonly commit: number
  /** Smallest database size at any of its commits. */
  readonly minCommit: number
  /** All frames of the stretch, back to back, when they fit into memory. */
  readonly bytes: Uint8Array | undefined
  /** False when it was cut and there is more behind it. */
  readonly complete: boolean
}

/** Position before the first frame of a generation, without its salts. */
export const START_OF_GENERATION: { readonly frame: 0; readonly checksum1: 0; readonly checksum2: 0 } = {
  frame: 0,
  checksum1: 0,
  checksum2: 0,
}

const NOTHING = new Uint8Array()
/** For the next scan of any database of this thread. */
let spareBuffer = NOTHING

/** Reads frames in one buffer, until it is let go. */
export class WALScan {
  readonly #files: DatabaseFiles
  readonly #pageSize: PageSize
  readonly #frameSize: number
  #buffer = NOTHING

  constructor(files: DatabaseFiles, pageSize: PageSize) {
    this.#files = files
    this.#pageSize = pageSize
    this.#frameSize = WAL_FRAME_HEADER_SIZE + pageSize
  }

  /**
   * Verifies the frames after `from` up to the `mxFrame` of `index` and records the newest of each
   * page in `table`. Never looks past `mxFrame`: a whole, valid transaction behind it may be what a
   * dead writer left, which nobody will ever see.
   *
   * @throws PrimaryError `wal-discontinuous` when the frames do not continue `from` or do not end
   *   where the wal-index says
   */
  scan(
    from: WALPosition,
    index: WALIndexHeader,
    table: FrameTable,
    cutBytes: number = CUT_BYTES,
  ): ScannedFrames {
    const header = this.#files.walHeader()
    if (header === undefined || header.salt1 !== index.salt1 || header.salt2 !== index.salt2) {
      throw discontinuous(`the WAL header does not belong to the wal-index`)
    }
    const scanner = new FrameScanner({
      pageSize: this.#pageSize,
      bigEndian: header.bigEndianChecksums,
      salt1: header.salt1,
      salt2: header.salt2,
      checksum1: from.frame === 0 ? header.checksum1 : from.checksum1,
      checksum2: from.frame === 0 ? header.checksum2 : from.checksum2,
    })
    table.clear()
    const total = index.mxFrame - from.frame
    const cutFrames = Math.max(1, Math.ceil(cutBytes / this.#frameSize))
    const perRead = Math.max(1, Math.min(total, Math.floor(READ_BYTES / this.#frameSize)))
    const keep = total <= Math.max(perRead, Math.floor(KEEP_BYTES / this.#frameSize))
    const room = (keep ? total : perRead) * this.#frameSize
    this.#take(room)

    let frame = from.frame
    /** Where in the buffer the frames of this read lie. */
    let place = 0
    let commit = 0
    let minCommit = Number.POSITIVE_INFINITY
    let cut: WALPosition | undefined
    const visit = (pgno: number, frameCommit: number, at: number): void => {
      if (cut !== undefined) return
      table.set(pgno, frame + at + 1)
      if (frameCommit === 0) return
      commit = frameCommit
      if (frameCommit < minCommit) minCommit = frameCommit
      const n = frame + at + 1
      if (n - from.frame >= cutFrames && n < index.mxFrame)
        cut = this.#positionAt(index, n, place + at * this.#frameSize)
    }
    while (frame < index.mxFrame && cut === undefined) {
      const frames = Math.min(perRead, index.mxFrame - frame)
      const length = frames * this.#frameSize
      place = keep ? (frame - from.frame) * this.#frameSize : 0
      const into = this.#buffer.subarray(place, place + length)
      const read = this.#files.readWAL(into, frameOffset(frame + 1, this.#pageSize))
      const valid = read < length ? 0 : scanner.scan(this.#buffer, place, frames, visit)
      if (valid < frames && cut === undefined) {
        throw discontinuous(`frame ${frame + valid + 1} of ${index.mxFrame} does not continue the one before`)
      }
      frame += frames
    }
    const bytes = keep ? this.#buffer.subarray(0, total * this.#frameSize) : undefined
    if (cut !== undefined) return { from: from.frame, end: cut, commit, minCommit, bytes, complete: false }
    const end: WALPosition = {
      salt1: index.salt1,
      salt2: index.salt2,
      frame: index.mxFrame,
      checksum1: scanner.checksum[0]!,
      checksum2: scanner.checksum[1]!,
    }
    if (scanner.lastCommitFrame === 0 || scanner.commitChecksum[0] !== scanner.checksum[0]) {
      throw discontinuous('the last frame is not a commit')
    }
    if (end.checksum1 !== index.frameChecksum1 || end.checksum2 !== index.frameChecksum2) {
      throw discontinuous(`frame ${index.mxFrame} is not the one that the wal-index names`)
    }
    return { from: from.frame, end, commit, minCommit, bytes, complete: true }
  }

  /**
   * Verifies frames once more, after their pages were read for their checksums. Whatever was written
   * over them between the first verification and that reading shows now.
   *
   * @throws PrimaryError `wal-discontinuous`
   */
  again(from: WALPosition, end: WALPosition, index: WALIndexHeader, table: FrameTable): void {
    const upToEnd = {
      ...index,
      mxFrame: end.frame,
      frameChecksum1: end.checksum1,
      frameChecksum2: end.checksum2,
    }
    this.scan(from, upToEnd, table, Number.POSITIVE_INFINITY)
  }

  /** Gives back what was read into: `bytes` of earlier scans are not to be used any more. */
  letGo(): void {
    // What one large transaction has taken is not kept.
    const { length } = this.#buffer
    if (length <= READ_BYTES && length > spareBuffer.length) spareBuffer = this.#buffer
    this.#buffer = NOTHING
  }

  #take(room: number): void {
    if (this.#buffer.length >= room) return
    this.#buffer =
      spareBuffer.length >= room ? spareBuffer : new Uint8Array(Math.max(room, 16 * this.#frameSize))
    if (this.#buffer === spareBuffer) spareBuffer = NOTHING
  }

  #positionAt(index: WALIndexHeader, frame: number, at: number): WALPosition {
    const view = new DataView(this.#buffer.buffer, at, WAL_FRAME_HEADER_SIZE)
    return {
      salt1: index.salt1,
      salt2: index.salt2,
      frame,
      checksum1: view.getUint32(16),
      checksum2: view.getUint32(20),
    }
  }
}
