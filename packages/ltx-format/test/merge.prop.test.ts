import { mergeFiles, type Page } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { header, makeFile } from './files.ts'
import { collect, streamOf } from './golden.ts'
import { assemble, oldFrame } from './handmade.ts'

/** So large that a window holds four pages: inputs pass from window to window at different places. */
const pageSize = 65536
const PAGES = 40

/** A page of file `n`. */
function pageOf(n: number, pgno: number): Page {
  return { pgno, data: new Uint8Array(pageSize).fill(n * 37 + pgno) }
}

/** For each page of a file: not there, of the modern kind, or of the older one. */
const layout = fc.array(fc.constantFrom('none', 'none', 'modern', 'modern', 'modern', 'old'), {
  minLength: PAGES,
  maxLength: PAGES,
})
/** Long runs, which go to the result as one. */
const runs = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.constantFrom('none', 'modern', 'old')), {
    minLength: 1,
  })
  .map((list) => {
    const flat = list.flatMap(([length, kind]) => Array.from({ length }, () => kind))
    return Array.from({ length: PAGES }, (_, i) => flat[i] ?? 'modern')
  })

/** Files that one window holds, which are read to their end before the next is opened. */
const few = fc
  .array(fc.tuple(fc.integer({ min: 0, max: PAGES - 1 }), fc.constantFrom('modern', 'modern', 'old')), {
    maxLength: 4,
  })
  .map((list) => {
    const kinds = new Map(list)
    return Array.from({ length: PAGES }, (_, i) => kinds.get(i) ?? 'none')
  })

test('the result is byte for byte what the encoder makes of the newest pages, however inputs interleave', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(layout, runs, few, few), { minLength: 1, maxLength: 7 }),
      async (kinds) => {
        const newest = new Map<number, Page>()
        const files = kinds.map((list, n) => {
          const head = header(n + 2, n + 2, PAGES, { pageSize })
          const parts = list.flatMap((kind, i) => {
            if (kind === 'none') return []
            const page = pageOf(n, i + 1)
            newest.set(page.pgno, page)
            if (kind === 'old') return [oldFrame(page)]
            const file = makeFile(head, [page])
            const size = new DataView(file.buffer, file.byteOffset).getUint32(106)
            const frame = file.subarray(100, 110 + size)
            const part: [Uint8Array, Uint8Array, number] = [
              frame,
              Buffer.concat([frame.subarray(0, 10), page.data]),
              page.pgno,
            ]
            return [part]
          })
          return assemble(head, parts)
        })
        const last = kinds.length + 1
        const expected = makeFile(
          header(2, last, PAGES, { pageSize }),
          [...newest.values()].toSorted((a, b) => a.pgno - b.pgno),
        )
        const merged = await collect(mergeFiles(files.map((bytes) => streamOf(bytes, 5000))))
        expect(Buffer.compare(merged, expected)).toBe(0)
      },
    ),
    { numRuns: 40 },
  )
})
