import { Decoder, type KernelPool, type PageSize } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { header, makeFile, page, pageRange } from '../files.ts'
import { goldenSets, readGolden, readManifest, streamOf } from '../golden.ts'
import { InlinePool } from './inline-pool.ts'

const BATCH = 4 * 512
/** 102 pages: 25 full batches, and one with two pages that is for the decoder's own thread. */
const file = makeFile(header(1, 9, 102), pageRange(1, 102))

/** A source that knows whether it was let go. */
function watched(bytes: Uint8Array): {
  readonly source: AsyncGenerator<Uint8Array>
  readonly ended: () => boolean
} {
  let ended = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield* streamOf(bytes, 700)
    } finally {
      ended = true
    }
  }
  return { source: source(), ended: () => ended }
}

async function pagesOf(bytes: Uint8Array, pool?: KernelPool, batchBytes = BATCH): Promise<unknown> {
  const decoder = await Decoder.open(streamOf(bytes), { pool, batchBytes })
  const pages: unknown[] = []
  for await (const p of decoder) pages.push(p)
  return { header: decoder.header, pages, trailer: await decoder.finish() }
}

describe('decoding with a pool', () => {
  test.each(goldenSets)('gives what Litestream wrote: $name', async ({ name, replica }) => {
    for (const { path } of readManifest(name).files) {
      const bytes = readGolden(name, replica, path)
      expect(await pagesOf(bytes, new InlinePool(), 8192)).toEqual(await pagesOf(bytes, undefined, 8192))
    }
  })

  test.each<PageSize>([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
    'sends all batches but the last away: pages of %i bytes',
    async (pageSize) => {
      const bytes = makeFile(header(1, 1, 11, { pageSize }), pageRange(1, 11, pageSize))
      const pool = new InlinePool()
      expect(await pagesOf(bytes, pool, 2 * pageSize)).toEqual(await pagesOf(bytes))
      expect(pool.jobs.map(({ kind }) => kind)).toEqual(Array(5).fill('decode'))
    },
  )

  test('keeps size + 2 blocks, however long the file is and however slow its reader', async () => {
    for (const size of [1, 3]) {
      let fresh = 0
      const pool = new InlinePool({
        size,
        turns: (n) => n % 4,
        beforeJob: (_, { buffer }) => {
          // Frames of these pages leave the end of a block as it was.
          const bytes = new Uint8Array(buffer)
          if (bytes[bytes.length - 1] === 0) fresh++
          bytes[bytes.length - 1] = 1
        },
      })
      const zeros = makeFile(
        header(1, 9, 400),
        Array.from({ length: 400 }, (_, i) => ({ pgno: i + 1, data: new Uint8Array(512) })),
      )
      const decoder = await Decoder.open(streamOf(zeros, 100), { pool, batchBytes: BATCH })
      for await (const _ of decoder.batches()) await new Promise(setImmediate)
      await decoder.finish()
      expect(pool.jobs.length).toBe(100)
      expect(fresh).toBeLessThanOrEqual(size + 2)
      expect(pool.most).toBe(size)
    }
  })

  test('does not have pages made that nobody looks at', async () => {
    const pool = new InlinePool()
    const decoder = await Decoder.open(streamOf(file), { pool, batchBytes: BATCH })
    await decoder.finish()
    expect(pool.jobs).toEqual(Array(25).fill(expect.objectContaining({ wantPages: false })))
  })

  test('goes on after a loop that was left', async () => {
    const decoder = await Decoder.open(streamOf(file), { pool: new InlinePool(), batchBytes: BATCH })
    for await (const { pgnos } of decoder.batches()) if (pgnos[0] === 9) break
    for await (const { pgno } of decoder) {
      expect(pgno).toBe(13)
      break
    }
    await decoder.finish()
  })

  test('takes the word of its own kernel: frames that a worker refuses without reason decode all the same', async () => {
    const pool = new InlinePool({
      answer: (reply, n) =>
        n % 3 === 1 ? { ...reply, outcome: { ...reply.outcome, ok: false, crc: 1n } } : reply,
    })
    expect(await pagesOf(file, pool)).toEqual(await pagesOf(file))
    expect(pool.jobs.length).toBe(25)
  })
})

describe('decoding with a pool that fails', () => {
  test('at the n-th job gives the pages before it, then its error, and lets the source go', async () => {
    for (let n = 0; n < 25; n++) {
      const cause = new Error(`job ${n}`)
      const pool = new InlinePool({
        turns: (i) => i % 3,
        beforeJob: (i) => {
          if (i === n) throw cause
        },
      })
      const { source, ended } = watched(file)
      const decoder = await Decoder.open(source, { pool, batchBytes: BATCH })
      const firsts: unknown[] = []
      const reading = async () => {
        for await (const { pgnos } of decoder.batches()) firsts.push(pgnos[0])
      }
      await expect(reading()).rejects.toMatchObject({ message: 'a kernel worker has ended', cause })
      expect(firsts).toEqual(Array.from({ length: n }, (_, i) => 4 * i + 1))
      expect(ended()).toBe(true)
      await expect(decoder.finish()).rejects.toThrow(TypeError)
    }
  })

  test('because it is closed says so', async () => {
    const pool = new InlinePool()
    await pool.close()
    await expect(pagesOf(file, pool)).rejects.toThrow('the kernel pool is closed')
  })

  test('an error of the source comes after the pages before it', async () => {
    const error = new Error('connection lost')
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield file.subarray(0, 20_000)
      throw error
    }
    const firsts = async (pool?: KernelPool) => {
      const seen: unknown[] = []
      const decoder = await Decoder.open(breaking(), { pool, batchBytes: BATCH })
      const reading = async () => {
        for await (const { pgnos } of decoder.batches()) seen.push(pgnos[0])
      }
      await expect(reading()).rejects.toBe(error)
      return seen
    }
    const alone = await firsts()
    expect(alone.length).toBeGreaterThan(3)
    const pooled = await firsts(new InlinePool({ turns: () => 2 }))
    // A batch that was whole before the source broke is worth more here, as frames are not collected beyond it.
    expect(pooled.slice(0, alone.length)).toEqual(alone)
  })
})

describe('decoding with a pool stops', () => {
  test('at once with the reason, while a worker hangs, the source hangs, or between batches', async () => {
    for (const where of ['worker', 'source', 'between'] as const) {
      const controller = new AbortController()
      const { signal } = controller
      const reason = new Error(where)
      const pool = new InlinePool({ turns: () => (where === 'worker' ? Number.POSITIVE_INFINITY : 0) })
      async function* source(): AsyncGenerator<Uint8Array> {
        yield file.subarray(0, 5000)
        if (where === 'source') await new Promise(() => {})
        yield file.subarray(5000)
      }
      const decoder = await Decoder.open(source(), { pool, batchBytes: BATCH, signal })
      const reading = async () => {
        for await (const _ of decoder.batches()) if (where === 'between') controller.abort(reason)
      }
      if (where !== 'between') setImmediate(() => controller.abort(reason))
      await expect(reading()).rejects.toBe(reason)
      await decoder.close()
    }
  })

  test('when it is closed in the middle, and lets the source go', async () => {
    const { source, ended } = watched(file)
    const pool = new InlinePool({ turns: () => 2 })
    const decoder = await Decoder.open(source, { pool, batchBytes: BATCH })
    for await (const _ of decoder.batches()) break
    await decoder.close()
    expect(ended()).toBe(true)
    const jobs = pool.jobs.length
    for (let i = 0; i < 10; i++) await new Promise(setImmediate)
    expect(pool.jobs.length).toBeLessThanOrEqual(jobs + 1)
    expect(jobs).toBeLessThan(8)
  })
})

test('one pool serves several files at a time', async () => {
  const pool = new InlinePool({ turns: (n) => n % 5 })
  const other = makeFile(
    header(1, 9, 30, { pageSize: 1024 }),
    [...Array(30).keys()].map((i) => page(i + 1, 1024)),
  )
  const both = await Promise.all([pagesOf(file, pool), pagesOf(other, pool), pagesOf(file, pool)])
  expect(both).toEqual([await pagesOf(file), await pagesOf(other), await pagesOf(file)])
})
