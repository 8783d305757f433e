import { createKernel, Encoder, type Header, type KernelPool, type Page, type PageSize } from '@sqlstream/ltx'
import { Block } from '@sqlstream/ltx/pool'
import { describe, expect, test } from 'vitest'
import { databaseChecksum, header, makeFile, page, pageRange } from '../files.ts'
import { InlinePool } from './inline-pool.ts'

/** A file whose pages are encoded by a pool, `capacity` at a time. */
async function makeWithPool(
  head: Header,
  pages: readonly Page[],
  pool: KernelPool,
  {
    capacity = 4,
    track = true,
    postApplyChecksum = undefined as ReturnType<typeof databaseChecksum> | undefined,
  } = {},
): Promise<Uint8Array> {
  const { pageSize } = head
  const encoder = new Encoder(head, { kernel: createKernel({ pageSize, batchBytes: 0 }) })
  const parts = [encoder.start()]
  for (let from = 0; from < pages.length; from += capacity) {
    const some = pages.slice(from, from + capacity)
    const block = new Block({ pageSize, capacity })
    for (const [i, { pgno, data }] of some.entries()) {
      block.pgnos[i] = pgno
      block.pages.set(data, i * pageSize)
    }
    const done = await pool.run({ kind: 'encode', count: some.length, track }, block)
    parts.push(encoder.append(done).slice())
  }
  parts.push(encoder.finish(postApplyChecksum))
  return Buffer.concat(parts)
}

describe('pages that a pool has encoded', () => {
  test.each<PageSize>([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
    'make the same file: pages of %i bytes',
    async (pageSize) => {
      const pages = pageRange(1, 11, pageSize)
      const sum = databaseChecksum(pages)
      const head = header(1, 9, 11, { pageSize, flags: 0 })
      const made = await makeWithPool(head, pages, new InlinePool(), { postApplyChecksum: sum })
      expect(Buffer.compare(made, makeFile(head, pages, sum))).toBe(0)
    },
  )

  test('may be mixed with pages that this thread encodes', async () => {
    const pages = pageRange(1, 6)
    const encoder = new Encoder(header(1, 9, 6))
    const block = new Block({ pageSize: 512, capacity: 3 })
    for (const i of [0, 1, 2]) {
      block.pgnos[i] = i + 2
      block.pages.set(pages[i + 1]!.data, i * 512)
    }
    const parts = [encoder.start(), encoder.page(pages[0]!)]
    parts.push(encoder.append(await new InlinePool().run({ kind: 'encode', count: 3, track: true }, block)))
    parts.push(encoder.page(pages[4]!), encoder.page(pages[5]!), encoder.finish())
    expect(Buffer.compare(Buffer.concat(parts), makeFile(header(1, 9, 6), pages))).toBe(0)
  })

  test('obey the order of pages', async () => {
    const bad: [code: string, pages: number[]][] = [
      ['page-out-of-order', [1, 2, 2]],
      ['page-missing', [1, 3]],
      ['bad-page', [1, 2, 3, 4]],
      ['page-missing', [1, 2]],
    ]
    for (const [code, pgnos] of bad) {
      const making = makeWithPool(
        header(1, 9, 3),
        pgnos.map((n) => page(n)),
        new InlinePool(),
        { capacity: 2 },
      )
      await expect(making).rejects.toMatchObject({ name: 'LTXError', code })
    }
  })

  test('of a snapshot without their checksums are refused at the end', async () => {
    const pages = pageRange(1, 5)
    const head = header(1, 9, 5, { flags: 0 })
    const postApplyChecksum = databaseChecksum(pages)
    const making = makeWithPool(head, pages, new InlinePool(), { track: false, postApplyChecksum })
    await expect(making).rejects.toMatchObject({ code: 'checksum-mismatch' })
  })

  test('of another size are refused', async () => {
    const block = new Block({ pageSize: 1024, capacity: 1 })
    block.pgnos[0] = 1
    const done = await new InlinePool().run({ kind: 'encode', count: 1, track: false }, block)
    const encoder = new Encoder(header(1, 1, 1))
    expect(() => encoder.append(done)).toThrow(TypeError)
    encoder.start()
    expect(() => encoder.append(done)).toThrow(RangeError)
  })
})
