import { expect, test } from 'vitest'
import { PageSums } from '../src/restore/page-sums.ts'

const FLAG = 1n << 63n

function set(sums: PageSums, ...pages: readonly [pgno: number, low: number][]): void {
  const pgnos = Uint32Array.from(pages, ([pgno]) => pgno)
  sums.set(pgnos, Uint32Array.from(pages.flatMap(([, low]) => [low, 0x80000000])), pages.length)
}

test('the sum follows each page that is set, replaced and dropped', () => {
  const sums = new PageSums()
  expect(sums.checksum()).toBe(FLAG)
  sums.resize(4, 4)
  set(sums, [1, 0x11], [2, 0x22], [4, 0xffffffff])
  expect(sums.checksum()).toBe(FLAG | (BigInt(0x11 ^ 0x22) ^ 0xffffffffn))
  set(sums, [2, 0x33])
  sums.resize(2, 0)
  expect(sums.checksum()).toBe(FLAG | BigInt(0x11 ^ 0x33))
  sums.resize(4, 0)
  expect([...sums.words()]).toEqual([0x11, 0x80000000, 0x33, 0x80000000, 0, 0, 0, 0])
  sums.resize(0, 0)
  expect(sums.checksum()).toBe(FLAG)
  expect(sums.words().length).toBe(0)
})

test('a size that no file of that length can have takes no memory', () => {
  const sums = new PageSums()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i++) sums.resize(0xffffffff, 10)
  set(sums, [1, 1], [1000, 2])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20)
  expect(sums.checksum()).toBe(FLAG | 3n)
})
