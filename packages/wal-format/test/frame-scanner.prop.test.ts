import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeWALHeader, FrameScanner, WAL_HEADER_SIZE } from '../src/index.ts'
import { craftWAL } from './craft.ts'

const frame = fc.record({
  pgno: fc.integer({ min: 1, max: 0xffffffff }),
  commit: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })),
  fill: fc.nat({ max: 255 }),
})

it('finds exactly the frames that were written, whatever the cuts between calls and the alignment', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.boolean(),
      fc.nat({ max: 7 }),
      fc.integer({ min: 1, max: 5 }),
      (frames, bigEndian, shift, step) => {
        const crafted = craftWAL(frames, { bigEndian })
        const wal = new Uint8Array(crafted.length + shift).subarray(shift)
        wal.set(crafted)
        const header = decodeWALHeader(wal)
        const scanner = new FrameScanner({ ...header, bigEndian: header.bigEndianChecksums })
        const found: [number, number][] = []
        for (let at = 0; at < frames.length; at += step) {
          const count = Math.min(step, frames.length - at)
          const valid = scanner.scan(wal, WAL_HEADER_SIZE + at * 536, count, (pgno, commit, index) => {
            expect(index).toBe(found.length - at)
            found.push([pgno, commit])
          })
          expect(valid).toBe(count)
        }
        expect(found).toEqual(frames.map(({ pgno, commit }) => [pgno, commit]))
      },
    ),
  )
})

it('accepts exactly the frames before the first flipped bit', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.nat(),
      (frames, bigEndian, where) => {
        const wal = craftWAL(frames, { bigEndian })
        const header = decodeWALHeader(wal)
        const bit = where % (frames.length * 536 * 8)
        const at = WAL_HEADER_SIZE + (bit >>> 3)
        wal[at] = wal[at]! ^ (1 << (bit & 7))
        const scanner = new FrameScanner({ ...header, bigEndian })
        expect(scanner.scan(wal, WAL_HEADER_SIZE, frames.length)).toBe(Math.floor((bit >>> 3) / 536))
      },
    ),
  )
})
