import { createHeader, createKernel, Decoder, type Header, type KernelPool, toTXID } from '@sqlstream/ltx'
import { createJobRunner, WorkerPool } from '@sqlstream/ltx/pool'
import { describe, expect, it } from 'vitest'
import { difference } from '../../src/capture/difference.ts'
import { type EncodeSnapshotOptions, encodeSnapshot } from '../../src/capture/encode-snapshot.ts'
import type { PageSource } from '../../src/capture/page-source.ts'
import { Ledger } from '../../src/state/ledger.ts'

const pageSize = 65536
const COUNT = 150

/** 150 pages, nine full jobs and a short one, whose content may be changed between two readings. */
function pages(): PageSource & { readonly content: number[]; readonly reads: number[] } {
  const content = Array.from({ length: COUNT }, (_, i) => i + 1)
  return {
    content,
    reads: [],
    pageSize,
    count: COUNT,
    pgno: (i) => i + 1,
    read(from, count, into) {
      this.reads.push(from)
      for (let i = 0; i < count; i++) into.fill(content[from + i]!, i * pageSize, (i + 1) * pageSize)
    },
  }
}

function header(): Header {
  return createHeader({ pageSize, commit: COUNT, minTXID: toTXID(1), maxTXID: toTXID(5), timestamp: 1 })
}

/** Pools over this thread, made as they are asked for. */
function makePools(beforeJob: (n: number) => void = () => {}) {
  const state = { made: 0, closed: 0, jobs: 0 }
  const pool = (): KernelPool => {
    state.made++
    const made = new WorkerPool(2, ({ onReply, onEnd }) => {
      const run = createJobRunner()
      return {
        post(request) {
          const there = structuredClone(request, { transfer: [request.buffer] })
          setImmediate(() => {
            try {
              beforeJob(state.jobs++)
              onReply(run(there))
            } catch (error) {
              onEnd(error)
            }
          })
        },
        terminate() {},
      }
    })
    const close = made.close.bind(made)
    made.close = async () => {
      state.closed++
      await close()
    }
    return made
  }
  return { pool, state }
}

async function collect(
  source: PageSource,
  sums: Uint32Array,
  options: EncodeSnapshotOptions = {},
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  const kernel = createKernel({ pageSize, batchBytes: 4 * pageSize })
  for await (const chunk of encodeSnapshot(header(), source, sums, kernel, options)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function sumsOf(source: PageSource): Promise<Uint32Array> {
  const { sums } = await difference(source, new Ledger(), createKernel({ pageSize }))
  return sums.slice()
}

async function decoded(bytes: Uint8Array): Promise<number[]> {
  const decoder = await Decoder.open(
    (async function* () {
      yield bytes
    })(),
  )
  const found: number[] = []
  for await (const page of decoder) found.push(page.data[511]!)
  await decoder.finish()
  return found
}

describe('a snapshot', () => {
  it('holds all pages, and can be encoded again with the same bytes, with threads and without', async () => {
    const source = pages()
    const sums = await sumsOf(source)
    const alone = await collect(source, sums)
    expect(await decoded(alone)).toEqual(source.content.map((fill) => fill % 256))
    expect(Buffer.compare(await collect(source, sums), alone)).toBe(0)
    const { pool, state } = makePools()
    for (let i = 1; i <= 2; i++) {
      const done: number[] = []
      const onPages = (n: number): void => {
        done.push(n)
      }
      expect(Buffer.compare(await collect(source, sums, { pool, onPages }), alone)).toBe(0)
      expect(done).toEqual([16, 32, 48, 64, 80, 96, 112, 128, 144, 150])
      expect(state).toEqual({ made: i, closed: i, jobs: 10 * i })
    }
  })

  it('R3: a page that is no longer what was promised ends it before anything wrong is sent', async () => {
    for (const options of [{}, { pool: makePools().pool }]) {
      const source = pages()
      const sums = await sumsOf(source)
      source.content[70] = 0
      const sent: number[] = []
      const kernel = createKernel({ pageSize, batchBytes: 16 * pageSize })
      const encoding = async (): Promise<void> => {
        for await (const chunk of encodeSnapshot(header(), source, sums, kernel, options))
          sent.push(chunk.length)
      }
      await expect(encoding()).rejects.toMatchObject({ code: 'wal-discontinuous' })
      expect(sent.length).toBe(1 + 4)
    }
  })

  it('ends when it is told to, and its threads with it', async () => {
    const sums = await sumsOf(pages())
    const enough = new Error('enough')
    await expect(collect(pages(), sums, { signal: AbortSignal.abort(enough) })).rejects.toBe(enough)
    const controller = new AbortController()
    const { pool, state } = makePools((n) => {
      if (n === 4) controller.abort(enough)
    })
    await expect(collect(pages(), sums, { pool, signal: controller.signal })).rejects.toBe(enough)
    expect(state).toMatchObject({ made: 1, closed: 1 })
    expect(state.jobs).toBeLessThan(10)
  })

  it('that is not read to its end ends its threads', async () => {
    const source = pages()
    const sums = await sumsOf(source)
    const { pool, state } = makePools()
    const kernel = createKernel({ pageSize, batchBytes: pageSize })
    let chunks = 0
    for await (const _ of encodeSnapshot(header(), source, sums, kernel, { pool })) if (++chunks === 4) break
    expect(state).toMatchObject({ made: 1, closed: 1 })
  })

  it('is finished by this thread when a thread dies at the n-th job', async () => {
    const source = pages()
    const sums = await sumsOf(source)
    const alone = await collect(source, sums)
    for (let n = 0; n < 10; n++) {
      const { pool, state } = makePools((i) => {
        if (i === n) throw new Error('killed')
      })
      expect(Buffer.compare(await collect(source, sums, { pool }), alone)).toBe(0)
      expect(state).toMatchObject({ made: 1, closed: 1 })
    }
  })

  it('reads at most three jobs ahead of what was taken, however slow the store is', async () => {
    const source = pages()
    const sums = await sumsOf(source)
    source.reads.length = 0
    const kernel = createKernel({ pageSize, batchBytes: pageSize })
    let taken = 0
    for await (const _ of encodeSnapshot(header(), source, sums, kernel, { pool: makePools().pool })) {
      for (let i = 0; i < 5; i++) await new Promise(setImmediate)
      expect(source.reads.length).toBeLessThanOrEqual(taken + 3)
      taken++
    }
    expect(taken).toBe(1 + 10 + 1)
  })
})
