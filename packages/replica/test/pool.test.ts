import { WorkerPool } from '@sqlstream/ltx/pool'
import { expect, test } from 'vitest'
import { isWorthPool } from '../src/index.ts'
import { poolSize } from '../src/node/kernel-pool.ts'
import { PoolOnDemand } from '../src/pool.ts'

test.each([
  [0, false],
  [63_999_999, false],
  [64_000_000, true],
  [10 ** 12, true],
])('%d bytes are worth a pool: %s', (bytes, expected) => {
  expect(isWorthPool(bytes)).toBe(expected)
})

test.each([
  [0, 1],
  [1, 1],
  [2, 2],
  [7, 7],
  [8, 8],
  [64, 8],
])('with %d free cores a pool has %d threads', (cores, threads) => {
  expect(poolSize(cores)).toBe(threads)
})

/** Files of a plan, in MB, and whether each of them gets the pool. */
test.each([
  ['one large file', [64], [true]],
  ['a large file and small ones', [80, 1, 3.9, 4], [true, false, false, true]],
  ['small files, however many', Array(40).fill(3), Array(40).fill(false)],
  ['too little in all', [40, 20], [false, false]],
])('the pool is for large files of large plans: %s', async (_, megabytes, expected) => {
  let made = 0
  let closed = 0
  const pool = new WorkerPool(1, () => {
    throw new Error('no job comes')
  })
  pool.close = async () => {
    closed++
  }
  const make = () => {
    made++
    return pool
  }
  const total = megabytes.reduce((sum, size) => sum + size, 0) * 1e6
  const onDemand = new PoolOnDemand(make, total)
  expect(megabytes.map((size) => onDemand.for(size * 1e6) === pool)).toEqual(expected)
  await onDemand.close()
  const used = expected.includes(true) ? 1 : 0
  expect([made, closed]).toEqual([used, used])
  expect(new PoolOnDemand(undefined, total).for(total)).toBeUndefined()
})
