import { CHECKSUM_FLAG, checksumPage, toChecksum } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Ledger } from '../../src/state/ledger.ts'
import { changesOf } from '../support/samples.ts'

/** A database as a plain list of pages, and its checksum by the definition of LTX. */
class Model {
  pages: Uint8Array[] = []

  get checksum(): bigint {
    let sum = 0n
    for (const [i, data] of this.pages.entries()) sum ^= checksumPage({ pgno: i + 1, data })
    return sum | CHECKSUM_FLAG
  }
}

const page = fc.uint8Array({ minLength: 512, maxLength: 512 })
/** The next size, and which pages below it get which content besides those that it grew by. */
const step = fc.record({
  commit: fc.integer({ min: 1, max: 40 }),
  touched: fc.array(fc.tuple(fc.nat(1000), page), { maxLength: 8 }),
  filler: page,
})

it('R5, P3: the rolling checksum is that of LTX over all pages, whatever grew, shrank or changed', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const model = new Model()
      const ledger = new Ledger(1)
      expect(ledger.checksum).toBe(model.checksum)
      for (const { commit, touched, filler } of steps) {
        const before = model.pages.length
        const pages = new Map<number, Uint8Array>()
        for (let pgno = before + 1; pgno <= commit; pgno++) pages.set(pgno, filler)
        for (const [n, data] of touched) pages.set((n % commit) + 1, data)
        model.pages.length = Math.min(before, commit)
        for (const [pgno, data] of [...pages].sort(([a], [b]) => a - b)) model.pages[pgno - 1] = data

        const changes = changesOf(pages)
        const promised = ledger.checksumAfter(commit, changes.count, changes.pgnos, changes.sums)
        ledger.resize(commit)
        for (let i = 0; i < changes.count; i++) {
          ledger.set(changes.pgnos[i]!, changes.sums[i * 2]!, changes.sums[i * 2 + 1]!)
        }
        expect(ledger.checksum).toBe(model.checksum)
        expect(promised, 'what checksumAfter has said').toBe(ledger.checksum)
        expect(ledger.pageCount).toBe(commit)
        for (const [i, data] of model.pages.entries()) {
          const sum = (BigInt(ledger.high(i + 1)) << 32n) | BigInt(ledger.low(i + 1))
          expect(sum).toBe(checksumPage({ pgno: i + 1, data }))
        }
        expect([ledger.low(commit + 1), ledger.high(commit + 1)]).toEqual([0, 0])
        // Written and read back, it is the same ledger, and a copy.
        const copy = Ledger.from(ledger.words(), commit)
        expect(copy.checksum).toBe(ledger.checksum)
        copy.set(1, 1, 1)
        expect(ledger.checksum).toBe(model.checksum)
      }
    }),
    { numRuns: 60 },
  )
})

it('an empty ledger has the checksum of nothing, the flag alone', () => {
  expect(new Ledger().checksum).toBe(toChecksum(CHECKSUM_FLAG))
  expect(Ledger.from(new Uint32Array(0), 0).checksum).toBe(toChecksum(CHECKSUM_FLAG))
})

it('what fell away does not come back when the database grows again', () => {
  const ledger = new Ledger(4)
  ledger.resize(3)
  for (const pgno of [1, 2, 3]) ledger.set(pgno, pgno, 0x80000000 | pgno)
  ledger.resize(1)
  const alone = ledger.checksum
  ledger.resize(3)
  expect(ledger.checksum).toBe(alone)
  expect([ledger.low(2), ledger.high(3)]).toEqual([0, 0])
})
