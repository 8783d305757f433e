import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BlobBody, bodyParts, partSize } from '../src/index.ts'
import { chunksBody, countingBytes } from './store-under-test.ts'

async function partsOf(body: BlobBody, sizeOf: (n: number) => number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  for await (const part of bodyParts(body, { sizeOf })) parts.push(part)
  return parts
}

test('any body in any chunks comes in parts of the wanted sizes, and joined it is the body', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(20), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1 }),
      fc.boolean(),
      async (lengths, sizes, known) => {
        const bytes = countingBytes(lengths.reduce((sum, length) => sum + length, 0))
        let at = 0
        const chunks = lengths.map((length) => {
          at += length
          return bytes.subarray(at - length, at)
        })
        const body = chunksBody(chunks, known ? bytes.length : undefined)
        const sizeOf = (n: number): number => sizes[(n - 1) % sizes.length]!
        const parts = await partsOf(body, sizeOf)
        expect(parts.flatMap((part) => [...part])).toEqual([...bytes])
        parts.forEach((part, i) => {
          if (i + 1 < parts.length) expect(part.length).toBe(sizeOf(i + 1))
          else expect(part.length).toBeLessThanOrEqual(sizeOf(i + 1))
          expect(part.length).toBeGreaterThan(0)
        })
        expect(body.released).toBe(1)
      },
    ),
  )
})

test('bytes are a body too, and parts are views of it: nothing is copied, no memory asked for', async () => {
  const bytes = countingBytes(5)
  const parts = await partsOf(bytes, () => 3)
  expect(parts.every((part) => part.buffer === bytes.buffer)).toBe(true)
  expect(parts.map((part) => [...part])).toEqual([
    [0, 1, 2],
    [3, 4],
  ])
})

test.each([4, 6])('a body that is not of its size (%i) is refused', async (size) => {
  await expect(partsOf(chunksBody([countingBytes(5)], size), () => 3)).rejects.toThrow(RangeError)
})

test('parts grow so that 10,000 of them hold any object a service takes', () => {
  expect([1, 1000, 1001, 2001, 10_000].map(partSize)).toEqual(
    [8, 8, 16, 32, 4096].map((size) => size * 2 ** 20),
  )
  let total = 0
  for (let n = 1; n <= 10_000; n++) total += partSize(n)
  expect(total).toBeGreaterThan(5 * 2 ** 40)
  // Five gibibytes is the most that a part may have.
  expect(partSize(10_000)).toBeLessThanOrEqual(5 * 2 ** 30)
})

test('parts come in the memory that is given for them', async () => {
  const given: Uint8Array[] = []
  const allocate = (size: number): Uint8Array<ArrayBuffer> => {
    given.push(new Uint8Array(size).fill(9))
    return given.at(-1) as Uint8Array<ArrayBuffer>
  }
  const parts: Uint8Array[] = []
  for await (const part of bodyParts(chunksBody([countingBytes(5)]), { sizeOf: () => 2, allocate }))
    parts.push(part)
  expect(parts.map((part) => [...part])).toEqual([[0, 1], [2, 3], [4]])
  expect(parts.map(({ buffer }) => buffer)).toEqual(given.map(({ buffer }) => buffer))
})
