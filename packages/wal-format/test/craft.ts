import { WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from '../src/index.ts'

/** One frame to craft: page bytes are all `fill` unless `image` is given. */
export interface CraftedFrame {
  readonly pgno: number
  readonly commit?: number
  readonly fill?: number
  readonly image?: Uint8Array
}

export interface Crafting {
  readonly pageSize?: number
  readonly bigEndian?: boolean
  readonly salt1?: number
  readonly salt2?: number
  readonly checkpointSeq?: number
}

/** SQLite's checksum in the slowest and plainest way: the oracle of the tests. */
export function plainChecksum(
  seed: readonly [number, number],
  bytes: Uint8Array,
  bigEndian: boolean,
): [number, number] {
  let [s1, s2] = seed
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < bytes.length; i += 8) {
    s1 = Number((BigInt(s1) + BigInt(view.getUint32(i, !bigEndian)) + BigInt(s2)) & 0xffffffffn)
    s2 = Number((BigInt(s2) + BigInt(view.getUint32(i + 4, !bigEndian)) + BigInt(s1)) & 0xffffffffn)
  }
  return [s1, s2]
}

/** The bytes of a WAL file made by hand. */
export function craftWAL(frames: readonly CraftedFrame[], crafting: Crafting = {}): Uint8Array {
  const { pageSize = 512, bigEndian = false, salt1 = 0xdeadbeef, salt2 = 0x8badf00d } = crafting
  const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
  const file = new Uint8Array(WAL_HEADER_SIZE + frames.length * frameSize)
  const view = new DataView(file.buffer)
  const fields = [bigEndian ? 0x377f0683 : 0x377f0682, 3007000, pageSize, crafting.checkpointSeq ?? 0]
  for (const [i, field] of [...fields, salt1, salt2].entries()) view.setUint32(4 * i, field)
  let sum = plainChecksum([0, 0], file.subarray(0, 24), bigEndian)
  view.setUint32(24, sum[0])
  view.setUint32(28, sum[1])
  for (const [i, frame] of frames.entries()) {
    const at = WAL_HEADER_SIZE + i * frameSize
    view.setUint32(at, frame.pgno)
    view.setUint32(at + 4, frame.commit ?? 0)
    view.setUint32(at + 8, salt1)
    view.setUint32(at + 12, salt2)
    const page = file.subarray(at + WAL_FRAME_HEADER_SIZE, at + frameSize)
    if (frame.image) page.set(frame.image)
    else page.fill(frame.fill ?? frame.pgno)
    sum = plainChecksum(sum, file.subarray(at, at + 8), bigEndian)
    sum = plainChecksum(sum, page, bigEndian)
    view.setUint32(at + 16, sum[0])
    view.setUint32(at + 20, sum[1])
  }
  return file
}

/** The old file with a shorter, newer one written over its beginning, as a restart of the WAL leaves it. */
export function overwriteStart(old: Uint8Array, newer: Uint8Array): Uint8Array {
  const file = old.slice()
  file.set(newer)
  return file
}
