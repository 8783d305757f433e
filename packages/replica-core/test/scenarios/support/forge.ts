import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { decodeWALHeader, WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE, walChecksum } from '@sqlstream/wal'

/** Salts of a WAL file. */
export interface Salts {
  readonly salt1: number
  readonly salt2: number
}

/** The salts in the header of a WAL file. */
export function saltsOf(wal: string): Salts {
  const { salt1, salt2 } = decodeWALHeader(new Uint8Array(readFileSync(wal)))
  return { salt1, salt2 }
}

/** Rewrites a WAL as if its generation had been begun with these salts: valid in itself, every checksum right. */
export function resalt(wal: string, salts: Partial<Salts>): void {
  const bytes = new Uint8Array(readFileSync(wal))
  const view = new DataView(bytes.buffer)
  const header = decodeWALHeader(bytes)
  const { salt1 = header.salt1, salt2 = header.salt2 } = salts
  const big = header.bigEndianChecksums
  const state = new Uint32Array(2)
  view.setUint32(16, salt1)
  view.setUint32(20, salt2)
  walChecksum(state, bytes, 0, 24, big)
  view.setUint32(24, state[0]!)
  view.setUint32(28, state[1]!)
  const frameSize = WAL_FRAME_HEADER_SIZE + header.pageSize
  for (let at = WAL_HEADER_SIZE; at + frameSize <= bytes.length; at += frameSize) {
    // Behind the last frame of the generation lies what older ones have left.
    if (view.getUint32(at + 8) !== header.salt1 || view.getUint32(at + 12) !== header.salt2) break
    view.setUint32(at + 8, salt1)
    view.setUint32(at + 12, salt2)
    walChecksum(state, bytes, at, 8, big)
    walChecksum(state, bytes, at + WAL_FRAME_HEADER_SIZE, header.pageSize, big)
    view.setUint32(at + 16, state[0]!)
    view.setUint32(at + 20, state[1]!)
  }
  writeFileSync(wal, bytes)
}

/** Turns bits of a file around, in place. Doing it twice restores it. */
export function flip(path: string, offset: number, length = 1): void {
  const fd = openSync(path, 'r+')
  try {
    const bytes = new Uint8Array(length)
    readSync(fd, bytes, 0, length, offset)
    for (let i = 0; i < length; i++) bytes[i]! ^= 0xff
    writeSync(fd, bytes, 0, length, offset)
  } finally {
    closeSync(fd)
  }
}
