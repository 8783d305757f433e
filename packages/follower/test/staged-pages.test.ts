import { readFileSync } from 'node:fs'
import { createKernel, lockPgno, type PageSize } from '@sqlstream/ltx'
import { Random, TempFolder } from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { prepareJournal } from '../src/prepare-journal.ts'
import { StagedPages } from '../src/staged-pages.ts'
import { checksumOf } from './support/history.ts'

const PAGE: PageSize = 512

function sumsOf(pages: readonly { readonly pgno: number; readonly data: Uint8Array }[]) {
  const kernel = createKernel({ pageSize: PAGE })
  pages.forEach(({ pgno, data }, i) => {
    kernel.pages.set(data, i * PAGE)
    kernel.pgnos[i] = pgno
  })
  kernel.checksumPages(pages.length)
  return { count: pages.length, pgnos: kernel.pgnos, data: kernel.pages, sums: kernel.pageSums }
}

test.each([1, 2, 3, 4, 5])(
  'whatever files are laid over a copy, in memory or not, what comes out is that database (seed %i)',
  (seed) => {
    using folder = new TempFolder('staged')
    const random = new Random(seed)
    for (let round = 0; round < 40; round++) {
      // A model: pages by number, as a list. Few contents, so that pages come back to what they were.
      const page = (): Uint8Array => new Uint8Array(PAGE).fill(random.below(3))
      const before = Array.from({ length: random.integer(1, 12) }, page)
      const image = Buffer.concat(before)
      const base = {
        pageSize: PAGE,
        commit: before.length,
        checksum: checksumOf(image, PAGE),
        sumOf: (pgno: number, into: Uint32Array) =>
          into.set(sumsOf([{ pgno, data: before[pgno - 1]! }]).sums.subarray(0, 2)),
      }
      using staged = new StagedPages(base, folder.join('spill'), random.pick([0, 2 * PAGE, 1 << 20]))
      let model = [...before]
      for (let file = random.integer(1, 5); file > 0; file--) {
        const commit = random.integer(1, 15)
        model = Array.from({ length: commit }, (_, i) => model[i] ?? new Uint8Array(PAGE))
        staged.resize(commit)
        const pages = model.flatMap((_, i) => (random.chance(0.4) ? [{ pgno: i + 1, data: page() }] : []))
        for (const { pgno, data } of pages) model[pgno - 1] = data
        staged.set(sumsOf(pages))
        staged.fillHoles()
        expect(staged.checksum).toBe(checksumOf(Buffer.concat(model), PAGE))
      }
      const result = Array.from(
        { length: staged.commit },
        (_, i) => before[i] ?? new Uint8Array(PAGE).fill(9),
      )
      for (const pgno of staged.pgnos()) {
        const target = new Uint8Array(PAGE)
        expect(staged.read(pgno, target)).toBe(true)
        expect(pgno <= before.length && Buffer.compare(before[pgno - 1]!, target) === 0).toBe(false)
        result[pgno - 1] = target
      }
      expect(Buffer.concat(result).equals(Buffer.concat(model))).toBe(true)
    }
  },
)

test('T16: the lock page is in no journal, since SQLite ends a rollback there', () => {
  using folder = new TempFolder('journal')
  const pageSize: PageSize = 65536
  const lock = lockPgno(pageSize)
  const path = folder.join('journal')
  const read: number[] = []
  prepareJournal(path, {
    pageSize,
    commit: lock + 2,
    newCommit: lock - 2,
    pgnos: [1, 5, lock - 2, lock + 7],
    read: (pgno) => read.push(pgno),
  })
  expect(read).toEqual([1, 5, lock - 2, lock - 1, lock + 1, lock + 2])
  const bytes = readFileSync(path)
  expect(bytes.length).toBe(512 + 6 * (pageSize + 8))
  expect([bytes.readUInt32BE(8), bytes.readUInt32BE(16), bytes.readUInt32BE(24)]).toEqual([
    6,
    lock + 2,
    pageSize,
  ])
})
