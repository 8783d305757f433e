import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  createWALKernel,
  decodeWALHeader,
  FrameScanner,
  type PageSize,
  WAL_FRAME_HEADER_SIZE,
  WAL_HEADER_SIZE,
} from '../src/index.ts'
import { type CraftedFrame, craftWAL } from './craft.ts'
import { PAGE_SIZES } from './sqlite.ts'

/** Page bytes that depend on the seed alone. */
function image(pageSize: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(pageSize)
  let state = seed
  for (let i = 0; i < pageSize; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = seed % 5 === 0 ? 0xff : state >>> 24
  }
  return bytes
}

const frame = fc.record({
  pgno: fc.integer({ min: 1, max: 0xffffffff }),
  commit: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })),
  seed: fc.nat({ max: 1000 }),
})

/** What may have happened to a frame. `where` picks the byte, `value` is what it is XORed with. */
const damage = fc.record({
  frame: fc.nat({ max: 20 }),
  what: fc.constantFrom('byte', 'salt', 'page number 0', 'frame of before'),
  where: fc.nat(),
  value: fc.integer({ min: 1, max: 255 }),
})

interface Seen {
  readonly valid: number
  readonly visits: readonly number[][]
  readonly checksum: readonly number[]
  readonly commit: readonly number[]
}

/** Each call's outcome; `commit` holds what is known of the last commit frame, if there was one. */
function scanInSteps(
  scanner: FrameScanner,
  buffer: Uint8Array,
  offset: number,
  frames: number,
  step: number,
  frameSize: number,
): Seen[] {
  const seen: Seen[] = []
  for (let at = 0; at < frames; at += step) {
    const visits: number[][] = []
    const count = Math.min(step, frames - at)
    const valid = scanner.scan(buffer, offset + at * frameSize, count, (...visit) => visits.push(visit))
    const { lastCommitFrame } = scanner
    const commit = [lastCommitFrame, scanner.commit, ...(lastCommitFrame > 0 ? scanner.commitChecksum : [])]
    seen.push({ valid, visits, checksum: [...scanner.checksum], commit })
    if (valid < count) break
  }
  return seen
}

it('a kernel finds what plain JavaScript finds, call by call, in whole and in damaged WALs', () => {
  fc.assert(
    fc.property(
      fc.record({
        pageSize: fc.constantFrom<PageSize>(...PAGE_SIZES),
        bigEndian: fc.boolean(),
        frames: fc.array(frame, { maxLength: 12 }),
        damages: fc.array(damage, { maxLength: 2 }),
        step: fc.integer({ min: 1, max: 6 }),
        shift: fc.nat({ max: 40 }),
        salts: fc.tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff })),
      }),
      ({ pageSize, bigEndian, frames, damages, step, shift, salts }) => {
        const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
        const [salt1, salt2] = salts
        const crafted: CraftedFrame[] = frames.map(({ pgno, commit, seed }) => ({
          pgno,
          commit,
          image: image(pageSize, seed),
        }))
        const wal = craftWAL(crafted, { pageSize, bigEndian, salt1, salt2 })
        const before = craftWAL(crafted, { pageSize, bigEndian, salt1: salt1 ^ 1, salt2 })
        for (const { frame: n, what, where, value } of damages) {
          if (n >= frames.length) continue
          const at = WAL_HEADER_SIZE + n * frameSize
          if (what === 'byte') wal[at + (where % frameSize)]! ^= value
          if (what === 'salt') wal[at + 8 + (where % 8)]! ^= value
          if (what === 'page number 0') wal.fill(0, at, at + 4)
          if (what === 'frame of before') wal.set(before.subarray(at, at + frameSize), at)
        }
        const header = decodeWALHeader(wal)
        const bytes = wal.subarray(WAL_HEADER_SIZE)
        const expected = scanInSteps(
          new FrameScanner({ ...header, bigEndian }),
          bytes,
          0,
          frames.length,
          step,
          frameSize,
        )
        const kernel = createWALKernel({ pageSize, bytes: (frames.length + 1) * frameSize, backend: 'wasm' })
        kernel.frames.fill(0xee)
        kernel.frames.set(bytes, shift)
        const scanner = new FrameScanner({ ...header, bigEndian }, { kernel })
        const actual = scanInSteps(scanner, kernel.frames, shift, frames.length, step, frameSize)
        expect(actual).toEqual(expected)
      },
    ),
    { numRuns: 400 },
  )
})

it.each(PAGE_SIZES)('a kernel notices one flipped bit at every byte of a frame of %i bytes', (pageSize) => {
  const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
  const kernel = createWALKernel({ pageSize, bytes: 2 * frameSize, backend: 'wasm' })
  for (const bigEndian of [false, true]) {
    const frames = [7, 8].map((seed) => ({ pgno: seed, commit: seed, image: image(pageSize, seed) }))
    const wal = craftWAL(frames, { pageSize, bigEndian })
    const header = decodeWALHeader(wal)
    kernel.frames.set(wal.subarray(WAL_HEADER_SIZE))
    const undamaged = new FrameScanner({ ...header, bigEndian }, { kernel })
    expect(undamaged.scan(kernel.frames, 0, 2)).toBe(2)
    const unnoticed: number[] = []
    for (let at = 0; at < frameSize; at++) {
      const bit = 1 << (at % 8)
      kernel.frames[frameSize + at]! ^= bit
      const scanner = new FrameScanner({ ...header, bigEndian }, { kernel })
      if (scanner.scan(kernel.frames, 0, 2) !== 1) unnoticed.push(at)
      kernel.frames[frameSize + at]! ^= bit
    }
    expect(unnoticed).toEqual([])
  }
})
