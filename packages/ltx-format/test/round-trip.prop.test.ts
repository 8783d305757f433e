import { isLTXError, lockPgno, type PageSize, readPageIndex } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeFile, header, makeFile, memoryFile, page } from './files.ts'

const pageSize = fc.constantFrom<PageSize>(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
const borders = [1, 2, 127, 128, 16384, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]
const pgno = fc.oneof(fc.constantFrom(...borders), fc.integer({ min: 1, max: 2 ** 32 - 1 }))

/** A header and pages that go together. */
const content = fc
  .record({
    pageSize,
    pgnos: fc.uniqueArray(pgno, { maxLength: 12 }),
    seed: fc.nat(1000),
    chunk: fc.integer({ min: 1, max: 9000 }),
  })
  .map(({ pageSize: size, pgnos, seed, chunk }) => ({
    head: header(5, 6, 2 ** 32 - 1, { pageSize: size }),
    pages: pgnos
      .filter((n) => n !== lockPgno(size))
      .toSorted((a, b) => a - b)
      .map((n) => page(n, size, n + seed)),
    chunk,
  }))

test('P1 P3 T49: any ascending pages of any size survive, in any chunks, and the index finds them', async () => {
  await fc.assert(
    fc.asyncProperty(content, async ({ head, pages, chunk }) => {
      const file = makeFile(head, pages)
      const decoded = await decodeFile(file, chunk)
      expect(decoded.header).toEqual(head)
      expect(decoded.pages).toEqual(pages)
      const index = await readPageIndex(memoryFile(file))
      expect([...index.pgnos]).toEqual(pages.map((p) => p.pgno))
    }),
    { numRuns: 80 },
  )
})

test('T3: one mutated or one lost byte never gives other pages: an LTXError, or the same content', async () => {
  await fc.assert(
    fc.asyncProperty(
      content,
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      async ({ head, pages, chunk }, where, value) => {
        const file = makeFile(head, pages)
        const at = where % file.byteLength
        const mutated = new Uint8Array(file)
        mutated[at] = value
        const shorter = Buffer.concat([file.subarray(0, at), file.subarray(at + 1)])
        for (const bytes of [mutated, shorter]) {
          const result = await decodeFile(bytes, chunk).catch((error: unknown) => error)
          if (!isLTXError(result)) expect(result).toMatchObject({ header: head, pages })
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('bytes that are no LTX file at all give an LTXError, not a crash', async () => {
  const start = fc
    .constantFrom(header(1, 1, 9), header(2, 2, 9))
    .map((head) =>
      makeFile(head, head.minTXID === 1n ? Array.from({ length: 9 }, (_, i) => page(i + 1)) : []).subarray(
        0,
        100,
      ),
    )
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 2000 }), async (head, rest) => {
      const error = await decodeFile(Buffer.concat([head, rest]), 100).catch((e: unknown) => e)
      expect(isLTXError(error)).toBe(true)
      expect(isLTXError(await decodeFile(rest).catch((e: unknown) => e))).toBe(true)
    }),
    { numRuns: 300 },
  )
})
