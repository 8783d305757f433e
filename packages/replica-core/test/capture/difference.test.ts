import { createKernel, type PageSize } from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BREATH_BYTES } from '../../src/breathe.ts'
import { difference } from '../../src/capture/difference.ts'
import type { PageSource } from '../../src/capture/page-source.ts'
import { applyChanges } from '../../src/state/journal.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { changesOf, wordsOf } from '../support/samples.ts'

/** Pages in memory; `fills` holds the byte that each page is filled with. */
function source(
  fills: ReadonlyMap<number, number>,
  pageSize: PageSize = 512,
): PageSource & { reads: number } {
  const pgnos = [...fills.keys()].sort((a, b) => a - b)
  return {
    reads: 0,
    pageSize,
    count: pgnos.length,
    pgno: (i) => pgnos[i]!,
    read(from, count, into) {
      this.reads++
      for (let i = 0; i < count; i++) {
        into.fill(fills.get(pgnos[from + i]!)!, i * pageSize, (i + 1) * pageSize)
      }
    },
  }
}

function ledgerOf(fills: ReadonlyMap<number, number>, commit: number): Ledger {
  const ledger = new Ledger()
  const pages = new Map([...fills].map(([pgno, fill]) => [pgno, new Uint8Array(512).fill(fill)]))
  applyChanges(ledger, commit, changesOf(pages))
  return ledger
}

const fills = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 })

describe('the difference of a source and the ledger', () => {
  it('R5: is exactly the pages whose content changed, and those beyond the end', async () => {
    await fc.assert(
      fc.asyncProperty(fills, fills, fc.integer({ min: 1, max: 9 }), async (before, after, batch) => {
        const old = new Map(before.map((fill, i) => [i + 1, fill]))
        const now = new Map(after.map((fill, i) => [i + 1, fill]))
        const ledger = ledgerOf(old, before.length)
        const kernel = createKernel({ pageSize: 512, batchBytes: batch * 512 })
        const changes = await difference(source(now), ledger, kernel)
        const expected = [...now.keys()].filter((pgno) => old.get(pgno) !== now.get(pgno))
        expect(changes.count).toBe(expected.length)
        expect([...changes.pgnos]).toEqual(expected)
        for (const [i, pgno] of expected.entries()) {
          expect(changes.indexes[i]).toBe(pgno - 1)
          const words = wordsOf(pgno, new Uint8Array(512).fill(now.get(pgno)!))
          expect([...changes.sums.subarray(i * 2, i * 2 + 2)]).toEqual(words)
        }
        applyChanges(ledger, after.length, changes)
        expect(ledger.checksum).toBe(ledgerOf(now, after.length).checksum)
      }),
      { numRuns: 80 },
    )
  })

  it('grows past what it reserved', async () => {
    const now = new Map(Array.from({ length: 5000 }, (_, i) => [i + 1, i % 251]))
    const changes = await difference(source(now), new Ledger(), createKernel({ pageSize: 512 }))
    expect(changes.count).toBe(5000)
    expect(changes.pgnos[4999]).toBe(5000)
  })

  it('lets others have their turn, reports progress, and ends when it is told to', async () => {
    const pages = (BREATH_BYTES / 65536) * 3
    const now = new Map(Array.from({ length: pages }, (_, i) => [i + 1, i % 251]))
    const kernel = createKernel({ pageSize: 65536, batchBytes: 256 * 1024 })
    const done: number[] = []
    let turns = 0
    const ticking = setInterval(() => turns++, 0)
    const changes = await difference(source(now, 65536), new Ledger(), kernel, {
      onPages: (n) => done.push(n),
    })
    clearInterval(ticking)
    expect(changes.count).toBe(pages)
    expect(done).toEqual([pages / 3, (pages / 3) * 2, pages])
    expect(turns).toBeGreaterThan(0)

    const stop = new AbortController()
    const halted = source(now, 65536)
    const ending = difference(halted, new Ledger(), kernel, {
      signal: stop.signal,
      onPages: () => stop.abort(new Error('enough')),
    })
    await expect(ending).rejects.toThrow('enough')
    expect(halted.reads).toBe(BREATH_BYTES / (256 * 1024))
  })
})
