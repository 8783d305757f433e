import fc from 'fast-check'
import { expect, it } from 'vitest'
import { walChecksum } from '../src/index.ts'
import { plainChecksum } from './craft.ts'

const blocks = fc.uint8Array({ minLength: 0, maxLength: 400 }).map((b) => b.slice(0, b.length & ~7))

it('equals the plain sum for any bytes, byte order, seed and alignment', () => {
  fc.assert(
    fc.property(
      blocks,
      fc.boolean(),
      fc.nat({ max: 9 }),
      fc.nat({ max: 9 }),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 0, max: 0xffffffff }),
      (bytes, bigEndian, shift, offset, seed1, seed2) => {
        const buffer = new Uint8Array(shift + offset + bytes.length).subarray(shift)
        buffer.set(bytes, offset)
        const state = Uint32Array.of(seed1, seed2)
        walChecksum(state, buffer, offset, bytes.length, bigEndian)
        expect([...state]).toEqual(plainChecksum([seed1, seed2], bytes, bigEndian))
      },
    ),
  )
})

it('goes on from a state as if the bytes had been one piece', () => {
  fc.assert(
    fc.property(blocks, blocks, fc.boolean(), (head, tail, bigEndian) => {
      const state = new Uint32Array(2)
      walChecksum(state, head, 0, head.length, bigEndian)
      walChecksum(state, tail, 0, tail.length, bigEndian)
      const whole = new Uint32Array(2)
      const both = Uint8Array.from([...head, ...tail])
      walChecksum(whole, both, 0, both.length, bigEndian)
      expect(state).toEqual(whole)
    }),
  )
})

it('refuses a length that is no multiple of 8 and a range outside the bytes', () => {
  const state = new Uint32Array(2)
  expect(() => walChecksum(state, new Uint8Array(16), 0, 12, false)).toThrow(RangeError)
  expect(() => walChecksum(state, new Uint8Array(16), 12, 8, false)).toThrow(RangeError)
  expect(() => walChecksum(state, new Uint8Array(16), -8, 8, false)).toThrow(RangeError)
})
