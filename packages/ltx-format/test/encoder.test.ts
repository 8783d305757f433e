import {
  CHECKSUM_FLAG,
  checksumPage,
  createKernel,
  Encoder,
  isLTXError,
  type LTXErrorCode,
  lockPgno,
  type PageSize,
  toChecksum,
} from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { databaseChecksum, decodeFile, header, makeFile, page, pageData, pageRange } from './files.ts'

const refused = (code: LTXErrorCode) => expect.toSatisfy((e: unknown) => isLTXError(e, code))
const sizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const

describe('encoder', () => {
  test.each(sizes)('P1 P9: pages of %i bytes survive', async (pageSize) => {
    const pages = [3, 4, 1000, 100_000].map((pgno) => page(pgno, pageSize))
    const head = header(7, 7, 200_000, { pageSize })
    const decoded = await decodeFile(makeFile(head, pages))
    expect(decoded.header).toEqual(head)
    expect(decoded.pages).toEqual(pages)
  })

  test('P1 P8 I1 I2 T1: writes exactly these bytes', () => {
    const data = new Uint8Array(512)
    const file = makeFile(header(2, 2, 5), [{ pgno: 5, data }])
    const block = '1f000100ffe8500000000000'
    const frame = `0000000500010000000c${block}`
    const hex = Buffer.from(file.subarray(100)).toString('hex')
    expect(hex.slice(0, -16)).toBe(`${frame}${'00'.repeat(6)}05641600${'0000000000000004'}${'00'.repeat(8)}`)
  })

  test('a file of several batches is the same as one made page by page', () => {
    const pages = pageRange(1, 70)
    const kernel = createKernel({ pageSize: 512, batchBytes: 16 * 512 })
    const encoder = new Encoder(header(1, 1, 70), { kernel })
    const parts: Uint8Array[] = [encoder.start()]
    for (let first = 0; first < 70; first += 16) {
      const batch = pages.slice(first, first + 16)
      batch.forEach(({ pgno, data }, i) => {
        kernel.pgnos[i] = pgno
        kernel.pages.set(data, i * 512)
      })
      parts.push(encoder.encode(batch.length).slice())
    }
    parts.push(encoder.finish())
    expect(Buffer.concat(parts).equals(makeFile(header(1, 1, 70), pages))).toBe(true)
  })

  test('one kernel serves one file after another', () => {
    const kernel = createKernel({ pageSize: 512 })
    const files = [1, 2].map(() => {
      const encoder = new Encoder(header(2, 2, 9), { kernel })
      return Buffer.concat([encoder.start(), encoder.page(page(4)), encoder.finish()])
    })
    expect(files[0]!.equals(files[1]!)).toBe(true)
  })

  test.each(['js', 'wasm'] as const)(
    'finish leaves the frames of the last batch as they are (%s)',
    (backend) => {
      const kernel = createKernel({ pageSize: 512, batchBytes: 8 * 512, backend })
      const pages = pageRange(1, 8)
      const encoder = new Encoder(header(1, 1, 8), { kernel })
      const start = encoder.start()
      for (const [i, { pgno, data }] of pages.entries()) {
        kernel.pgnos[i] = pgno
        kernel.pages.set(data, i * 512)
      }
      const frames = encoder.encode(8)
      const end = encoder.finish()
      expect(Buffer.concat([start, frames, end]).equals(makeFile(header(1, 1, 8), pages))).toBe(true)
    },
  )

  test('tracked page checksums come with the frames', () => {
    const encoder = new Encoder(header(2, 2, 9))
    encoder.start()
    const { kernel } = encoder
    kernel.pages.set(pageData(512, 5))
    kernel.pgnos[0] = 6
    encoder.encode(1, { track: true })
    const expected = checksumPage({ pgno: 6, data: pageData(512, 5) })
    expect((BigInt(kernel.pageSums[1]!) << 32n) | BigInt(kernel.pageSums[0]!)).toBe(expected)
  })

  test('files without pages are files', async () => {
    const empty = await decodeFile(makeFile(header(2, 2, 5), []))
    expect(empty.pages).toEqual([])
    const emptied = await decodeFile(makeFile(header(1, 1, 0), []))
    expect(emptied.header.commit).toBe(0)
  })
})

describe('encoder refuses', () => {
  function write(
    head: ReturnType<typeof header>,
    pgnos: readonly number[],
    previousCommit?: number,
  ): Uint8Array {
    const encoder = new Encoder(head, { previousCommit })
    encoder.start()
    for (const pgno of pgnos) encoder.page(page(pgno, head.pageSize))
    return encoder.finish()
  }

  test('P3: pages out of order or twice', () => {
    expect(() => write(header(2, 2, 9), [4, 3])).toThrow(refused('page-out-of-order'))
    expect(() => write(header(2, 2, 9), [4, 4])).toThrow(refused('page-out-of-order'))
    expect(() => write(header(1, 1, 9), [1, 2, 2])).toThrow(refused('page-out-of-order'))
  })

  test('P3: page 0 and numbers that are none', () => {
    for (const pgno of [0, -1, 1.5, 2 ** 32]) expect(() => write(header(2, 2, 9), [pgno])).toThrow(RangeError)
    const encoder = new Encoder(header(2, 2, 9))
    encoder.start()
    encoder.kernel.pgnos[0] = 0
    expect(() => encoder.encode(1)).toThrow(refused('page-out-of-order'))
  })

  test('P4 T14: a page above commit', () => {
    expect(() => write(header(2, 2, 9), [9, 10])).toThrow(refused('bad-page'))
    expect(() => write(header(1, 1, 1), [1, 2])).toThrow(refused('bad-page'))
    expect(() => write(header(2, 2, 0), [1])).toThrow(refused('bad-page'))
  })

  test.each(sizes)('P5 T16: the lock page of page size %i, with neighbours allowed', (pageSize) => {
    const lock = lockPgno(pageSize)
    const head = header(2, 2, lock + 5, { pageSize })
    expect(() => write(head, [lock - 1, lock])).toThrow(refused('lock-page'))
    expect(() => write(head, [lock])).toThrow(refused('lock-page'))
    expect(write(head, [lock - 1, lock + 1]).byteLength).toBeGreaterThan(0)
  })

  test('P6: a snapshot with a hole at its start, within or at its end', () => {
    for (const pgnos of [[2, 3], [1, 3], [1, 2], []]) {
      expect(() => write(header(1, 5, 3), pgnos)).toThrow(refused('page-missing'))
    }
  })

  test('P7: growth with a hole, of which the first page is named', () => {
    expect(() => write(header(2, 2, 9), [1, 8, 9], 6)).toThrow('page 7 of 9 is missing')
    expect(() => write(header(2, 2, 9), [1, 7, 8], 6)).toThrow('page 9 of 9 is missing')
    expect(() => write(header(2, 2, 9), [], 6)).toThrow(refused('page-missing'))
    expect(write(header(2, 2, 9), [1, 7, 8, 9], 6).byteLength).toBeGreaterThan(0)
    expect(write(header(2, 2, 9), [2], 9).byteLength).toBeGreaterThan(0)
    expect(write(header(2, 2, 9), [2], 50).byteLength).toBeGreaterThan(0)
  })

  test.each(sizes)(
    'P5 P7 T16: growth across the lock page of page size %i has all pages but that',
    (pageSize: PageSize) => {
      const lock = lockPgno(pageSize)
      const head = (commit: number) => header(2, 2, commit, { pageSize })
      expect(write(head(lock + 1), [lock - 1, lock + 1], lock - 2).byteLength).toBeGreaterThan(0)
      expect(() => write(head(lock + 2), [lock - 1, lock + 2], lock - 2)).toThrow(
        `page ${lock + 1} of ${lock + 2} is missing`,
      )
      // A database that ends just before, at, and just after the lock page.
      expect(write(head(lock - 1), [lock - 1], lock - 2).byteLength).toBeGreaterThan(0)
      expect(write(head(lock), [lock - 1], lock - 2).byteLength).toBeGreaterThan(0)
      expect(() => write(head(lock + 1), [lock - 1], lock - 2)).toThrow(refused('page-missing'))
      expect(write(head(lock + 1), [lock + 1], lock).byteLength).toBeGreaterThan(0)
    },
  )

  test('C4: a snapshot whose pages do not have the checksum that its proof claims', () => {
    const pages = pageRange(1, 3)
    const proof = { preApplyChecksum: toChecksum(CHECKSUM_FLAG), postApplyChecksum: databaseChecksum(pages) }
    expect(makeFile(header(1, 1, 3, { proof }), pages).byteLength).toBeGreaterThan(0)
    const wrong = { ...proof, postApplyChecksum: toChecksum(databaseChecksum(pages) ^ 1n) }
    expect(() => makeFile(header(1, 1, 3, { proof: wrong }), pages)).toThrow(refused('checksum-mismatch'))
  })

  test('T2 C4: a post-apply checksum that does not go with the header or the pages', () => {
    const pages = pageRange(1, 3)
    const sum = databaseChecksum(pages)
    expect(() => makeFile(header(1, 1, 3), pages, sum)).toThrow(RangeError)
    expect(() => makeFile(header(1, 1, 3, { flags: 0 }), pages)).toThrow(RangeError)
    expect(() => makeFile(header(1, 1, 3, { flags: 0 }), pages, toChecksum(5))).toThrow(RangeError)
    expect(() => makeFile(header(1, 1, 3, { flags: 0 }), pages, toChecksum(sum ^ 1n))).toThrow(
      refused('checksum-mismatch'),
    )
    expect(makeFile(header(1, 1, 3, { flags: 0 }), pages, sum).byteLength).toBeGreaterThan(0)
  })

  test('calls out of order, and a kernel or page of another size', () => {
    const encoder = new Encoder(header(2, 2, 9))
    expect(() => encoder.encode(0)).toThrow(TypeError)
    expect(() => encoder.finish()).toThrow(TypeError)
    encoder.start()
    expect(() => encoder.start()).toThrow(TypeError)
    expect(() => encoder.trailer).toThrow(TypeError)
    expect(() => encoder.page({ pgno: 1, data: new Uint8Array(511) })).toThrow(RangeError)
    expect(() => encoder.encode(encoder.kernel.capacity + 1)).toThrow(RangeError)
    encoder.finish()
    expect(encoder.trailer.postApplyChecksum).toBe(0n)
    expect(() => encoder.page(page(1))).toThrow(TypeError)
    expect(() => new Encoder(header(2, 2, 9), { kernel: createKernel({ pageSize: 1024 }) })).toThrow(
      RangeError,
    )
    expect(() => createKernel({ pageSize: 1000 as never })).toThrow(RangeError)
  })
})
