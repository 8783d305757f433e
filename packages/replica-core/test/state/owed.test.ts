import { readFileSync, writeFileSync } from 'node:fs'
import { toChecksum, toTXID } from '@sqlstream/ltx'
import { TempFolder } from '@sqlstream/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { baseAt, type Owed, PageBits, readOwed, removeOwed, writeOwed } from '../../src/state/owed.ts'

const state = fc
  .record({ txid: fc.bigInt(1n, 2n ** 63n), checksum: fc.bigInt(0n, 2n ** 64n - 1n) })
  .map(({ txid, checksum }) => ({ txid: toTXID(txid), checksum: toChecksum(checksum) }))
const states = fc.array(state, { maxLength: 4 })
const pages = fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { maxLength: 50 })

function bitsOf(pgnos: readonly number[]): PageBits {
  const bits = new PageBits()
  bits.addAll(Uint32Array.from(pgnos))
  return bits
}

it('D2: what is owed is read as it was written', () => {
  using folder = new TempFolder('owed')
  const path = folder.join('owed')
  fc.assert(
    fc.property(states, states, pages, fc.nat(), (bases, ends, pgnos, since) => {
      writeOwed(path, { bases, ends, pages: bitsOf(pgnos), since })
      const read = readOwed(path) as Owed
      expect(read.bases).toEqual(bases)
      expect(read.ends).toEqual(ends)
      expect(read.since).toBe(since)
      for (const pgno of pgnos) expect(read.pages.has(pgno)).toBe(true)
      const others = [0, 1, 7, 8, 99_999, 100_001, 2 ** 31].filter((pgno) => !pgnos.includes(pgno))
      for (const pgno of others) expect(read.pages.has(pgno)).toBe(false)
    }),
    { numRuns: 50 },
  )
  removeOwed(path)
  removeOwed(path)
  expect(readOwed(path)).toBeUndefined()
})

it('D6: a damaged note counts as none, wherever the damage is', () => {
  using folder = new TempFolder('owed')
  const path = folder.join('owed')
  const one = { txid: toTXID(5n), checksum: toChecksum(7n) }
  writeOwed(path, { bases: [one], ends: [one, one], pages: bitsOf([3, 900]), since: 1 })
  const whole = readFileSync(path)
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 0x10
    writeFileSync(path, damaged)
    expect(readOwed(path), `byte ${at}`).toBeUndefined()
    writeFileSync(path, whole.subarray(0, at))
    expect(readOwed(path), `cut at ${at}`).toBeUndefined()
  }
})

it('D5: only a state that was noted is a base', () => {
  const base = { txid: toTXID(5n), checksum: toChecksum(7n) }
  const owed: Owed = {
    bases: [base, { ...base, txid: toTXID(9n) }],
    ends: [],
    pages: new PageBits(),
    since: 1,
  }
  expect(baseAt(owed, toTXID(5n))).toEqual(base)
  expect(baseAt(owed, toTXID(6n))).toBeUndefined()
  expect(baseAt(undefined, toTXID(5n))).toBeUndefined()
})
