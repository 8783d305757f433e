import { existsSync, readFileSync } from 'node:fs'
import { compressBlock } from '@sqlstream/ltx/lz4'
import type { BlobStore } from '@sqlstream/storage'
import { decodeWALHeader, FrameScanner, WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from '@sqlstream/wal'

/** Writes the database at a path to a store as Litestream 0.3 does: a snapshot, and the WAL in segments. */
export class GenerationWriter {
  readonly folder: string
  readonly #store: BlobStore
  readonly #path: string
  #index = -1
  #offset = 0
  #salt = ''

  constructor(store: BlobStore, path: string, id = 'c0ffee0000000001') {
    this.#store = store
    this.#path = path
    this.folder = `generations/${id}`
  }

  /** The database file as it is; its index is that of the WAL in use. */
  async snapshot(): Promise<void> {
    const key = `${this.folder}/snapshots/${hex(Math.max(0, this.#index))}.snapshot.lz4`
    await this.#store.put(key, lz4Frame(readFileSync(this.#path)))
  }

  /**
   * What the WAL has got since the last time, in segments of at most `segmentBytes`, cut where it happens to be but between
   * frames. With `uncommitted` also what belongs to no transaction yet. A WAL that SQLite has begun anew gets the next index.
   */
  async sync(options: { segmentBytes?: number; uncommitted?: boolean } = {}): Promise<void> {
    const { segmentBytes = Number.POSITIVE_INFINITY, uncommitted = false } = options
    if (!existsSync(`${this.#path}-wal`)) return
    const wal = readFileSync(`${this.#path}-wal`)
    if (wal.byteLength === 0) return
    const header = decodeWALHeader(wal)
    const { pageSize, bigEndianChecksums: bigEndian } = header
    const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
    const salt = `${header.salt1} ${header.salt2}`
    if (salt !== this.#salt) {
      this.#salt = salt
      this.#index++
      this.#offset = 0
    }
    const scanner = new FrameScanner({ ...header, bigEndian })
    const most = Math.floor((wal.byteLength - WAL_HEADER_SIZE) / frameSize)
    const valid = scanner.scan(wal, WAL_HEADER_SIZE, most)
    const end = WAL_HEADER_SIZE + (uncommitted ? valid : scanner.lastCommitFrame) * frameSize
    const perSegment = Math.max(1, Math.floor(segmentBytes / frameSize)) * frameSize
    while (this.#offset < end) {
      const next = Math.min(end, Math.max(this.#offset, WAL_HEADER_SIZE) + perSegment)
      await this.put(this.#index, this.#offset, wal.subarray(this.#offset, next))
      this.#offset = next
    }
  }

  /** One segment. */
  async put(index: number, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#store.put(`${this.folder}/wal/${hex(index)}_${hex(offset)}.wal.lz4`, lz4Frame(bytes))
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

/** Independent blocks of 64 KiB, no checksum but that of the descriptor. */
export function lz4Frame(content: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82)]
  for (let at = 0; at < content.byteLength; at += 65536) {
    const raw = content.subarray(at, at + 65536)
    const block = compressBlock(raw)
    if (block.byteLength < raw.byteLength) parts.push(little(block.byteLength), block)
    else parts.push(little((raw.byteLength | 0x8000_0000) >>> 0), raw)
  }
  return Buffer.concat([...parts, little(0)])
}

function little(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}
