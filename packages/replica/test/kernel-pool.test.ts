import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { createHeader, Decoder, Encoder, type KernelPool, type PageSize, toTXID } from '@sqlstream/ltx'
import { Block, WorkerPool } from '@sqlstream/ltx/pool'
import { MemoryStore } from '@sqlstream/storage'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { planRestore, Replica, type RestorePlan, restore, verify } from '../src/index.ts'
import { createKernelPool, createModestPool, fileSink } from '../src/node/index.ts'
import { startWorker } from '../src/node/kernel-pool.ts'
import { collect } from './collect.ts'
import { MemorySink } from './memory-sink.ts'
import { put } from './model.ts'

/** Threads that were started, with those that have ended taken out. */
const threads = new Set<Worker>()
const onWorker = (worker: Worker) => {
  threads.add(worker)
  worker.once('exit', () => threads.delete(worker))
}
beforeEach(() => {
  process.on('worker', onWorker)
})
afterEach(() => {
  process.off('worker', onWorker)
})

const NOISE = crypto.getRandomValues(new Uint8Array(65_536))

/** A snapshot of pages that do not compress, and the database that it is of. */
function makeSnapshot(
  pageSize: PageSize,
  commit: number,
): { readonly file: Uint8Array; readonly image: Uint8Array } {
  const image = new Uint8Array(commit * pageSize)
  for (let at = 0; at < image.byteLength; at += NOISE.byteLength) {
    image.set(NOISE.subarray(0, image.byteLength - at), at)
    image[at] = at >>> 16
  }
  const range = { minTXID: toTXID(1), maxTXID: toTXID(1) }
  const encoder = new Encoder(createHeader({ ...range, pageSize, commit, timestamp: 0 }))
  const parts = [encoder.start()]
  const { kernel } = encoder
  for (let from = 0; from < commit; from += kernel.capacity) {
    const count = Math.min(kernel.capacity, commit - from)
    kernel.pages.set(image.subarray(from * pageSize, (from + count) * pageSize))
    for (let i = 0; i < count; i++) kernel.pgnos[i] = from + i + 1
    parts.push(encoder.encode(count).slice())
  }
  return { file: Buffer.concat([...parts, encoder.finish()]), image }
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

/** One page to encode; more than one is more than there is room for. */
function work(pool: KernelPool, count = 1): ReturnType<KernelPool['run']> {
  const block = new Block({ pageSize: 512, capacity: 1 })
  block.pgnos[0] = 1
  return pool.run({ kind: 'encode', count, track: true }, block)
}

/** A pool of one thread whose n-th job fails; it counts. */
class FailingPool extends WorkerPool {
  jobs = 0
  closed = 0
  readonly #n: number
  readonly #error: Error

  constructor(n: number, error: Error) {
    super(1, startWorker)
    this.#n = n
    this.#error = error
  }

  override async run(...args: Parameters<KernelPool['run']>): ReturnType<KernelPool['run']> {
    if (this.jobs++ === this.#n) throw this.#error
    return await super.run(...args)
  }

  override async close(): Promise<void> {
    this.closed++
    await super.close()
  }
}

describe('a pool of threads', () => {
  test('decodes as this thread does, with one thread and with several', async () => {
    const { file, image } = makeSnapshot(4096, 2000)
    for (const size of [1, 3]) {
      const pool = createKernelPool({ size })
      const decoder = await Decoder.open(chunks(file), { pool })
      const hash = createHash('sha256')
      for await (const { data } of decoder.batches()) hash.update(data)
      await decoder.finish()
      expect(hash.digest('hex')).toBe(createHash('sha256').update(image).digest('hex'))
      expect(threads.size).toBe(size)
      await pool.close()
      expect(threads.size).toBe(0)
    }
  })

  test('starts no thread before its first job', async () => {
    for (const pool of [createKernelPool(), createModestPool()]) {
      expect(pool.size).toBeGreaterThanOrEqual(1)
      await pool.close()
    }
    expect(threads.size).toBe(0)
  })

  test('fails a job that kills its thread, with what killed it, and goes on with another thread', async () => {
    const pool = createKernelPool({ size: 1 })
    await expect(work(pool, 2)).rejects.toMatchObject({
      message: 'a kernel worker has ended',
      cause: expect.objectContaining({ name: 'RangeError' }),
    })
    expect(await work(pool)).toMatchObject({ ok: true, count: 1 })
    await pool.close()
    expect(threads.size).toBe(0)
  })

  test('fails a job whose thread is ended from outside', async () => {
    const pool = createKernelPool({ size: 1 })
    await work(pool)
    // Long enough that it cannot be done before the thread is told to end, which is right after.
    const capacity = 2000
    const running = pool.run(
      { kind: 'encode', count: capacity, track: true },
      new Block({ pageSize: 65_536, capacity }),
    )
    await Promise.all([
      expect(running).rejects.toMatchObject({
        cause: expect.objectContaining({ message: 'it exited with code 1' }),
      }),
      ...[...threads].map((thread) => thread.terminate()),
    ])
    expect(await work(pool)).toMatchObject({ ok: true })
    await pool.close()
  })

  test.each([
    ['sources', ['--conditions=@sqlstream/source']],
    ['what was built', []],
  ])('keeps the process alive for a job and not for longer (%s)', (_, flags) => {
    const script = `
      import { Block } from '@sqlstream/ltx/pool'
      import { createKernelPool } from '@sqlstream/replica/node'
      const block = new Block({ pageSize: 512, capacity: 1 })
      block.pgnos[0] = 1
      const { count } = await createKernelPool({ size: 2 }).run({ kind: 'encode', count: 1, track: true }, block)
      console.log('encoded', count)`
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [...flags, '--input-type=module', '--eval', script],
      { cwd: join(import.meta.dirname, '..'), encoding: 'utf8', timeout: 30_000 },
    )
    expect({ stdout, stderr, status }).toEqual({ stdout: 'encoded 1\n', stderr: '', status: 0 })
  })
})

describe('a replica of more than 64 MB', () => {
  const pageSize = 4096
  const commit = 17_000
  const { file, image } = makeSnapshot(pageSize, commit)
  const store = new MemoryStore({ chunkSize: 1 << 20 })
  const replica = new Replica(store)
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sqlstream-pool-'))
    await put(replica, 9, 1, 1, file)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const plan = async () => planRestore(await replica.catalog(), { kind: 'latest' })

  test('is restored by a pool, which is closed then', async () => {
    const path = join(folder, 'app.db')
    let size = 0
    const pool = () => createKernelPool({ size: 2 })
    const result = await restore(replica, await plan(), fileSink(path), {
      pool,
      onProgress: () => {
        size = Math.max(size, threads.size)
      },
    })
    expect(result).toMatchObject({ commit, pageSize, bytesRead: file.byteLength })
    expect(Buffer.compare(readFileSync(path), image)).toBe(0)
    expect(size).toBe(2)
    expect(threads.size).toBe(0)
  })

  test('is verified by a pool, which is closed then, also when nobody wants the rest', async () => {
    const pools: FailingPool[] = []
    const pool = () => {
      pools.push(new FailingPool(-1, new Error()))
      return pools.at(-1)!
    }
    const kinds = (await collect(verify(replica, { depth: 'bytes', pool }))).map(({ kind }) => kind)
    expect(kinds).toEqual(['unproven'])
    for await (const _ of verify(replica, { depth: 'bytes', pool })) break
    expect(pools.map(({ jobs, closed }) => [jobs, closed])).toEqual([
      [Math.floor(commit / 256), 1],
      [Math.floor(commit / 256), 1],
    ])
    await collect(verify(replica, { depth: 'chain', pool }))
    expect(pools.length).toBe(2)
    expect(threads.size).toBe(0)
  })

  test('that is damaged is found to be so at the same byte', async () => {
    const damaged = file.slice()
    damaged[40_000_000]! ^= 4
    const other = new Replica(new MemoryStore({ chunkSize: 1 << 20 }))
    await put(other, 9, 1, 1, damaged)
    const alone = await collect(verify(other, { depth: 'bytes' }))
    expect(alone).toMatchObject([{ kind: 'corrupt' }])
    expect(
      await collect(verify(other, { depth: 'bytes', pool: () => createKernelPool({ size: 2 }) })),
    ).toEqual(alone)
  })

  test('is not verified by a pool that fails: that is no damage', async () => {
    const error = new Error('a kernel worker has ended')
    const pool = new FailingPool(3, error)
    await expect(collect(verify(replica, { depth: 'bytes', pool: () => pool }))).rejects.toBe(error)
    expect(pool.closed).toBe(1)
  })
})

describe('a restore', () => {
  async function large(): Promise<{
    readonly replica: Replica
    readonly plan: RestorePlan
    readonly image: Uint8Array
  }> {
    const { file, image } = makeSnapshot(65_536, 1000)
    const replica = new Replica(new MemoryStore())
    await put(replica, 9, 1, 1, file)
    return { replica, plan: planRestore(await replica.catalog(), { kind: 'latest' }), image }
  }

  test('whose pool fails at the n-th job ends with that error, no target and a closed pool', async () => {
    const { replica, plan, image } = await large()
    for (const n of [0, 1, 20, Number.POSITIVE_INFINITY]) {
      const folder = mkdtempSync(join(tmpdir(), 'sqlstream-pool-'))
      const path = join(folder, 'app.db')
      const error = new Error(`job ${n}`)
      const pool = new FailingPool(n, error)
      const outcome = await restore(replica, plan, fileSink(path), { pool: () => pool }).catch(
        (e: unknown) => e,
      )
      expect(pool.closed).toBe(1)
      const left = readdirSync(folder)
      const restored = left.length > 0 && readFileSync(path)
      rmSync(folder, { recursive: true })
      if (Number.isFinite(n)) {
        expect(outcome).toBe(error)
        expect(left).toEqual([])
      } else {
        expect(restored && Buffer.compare(restored, image)).toBe(0)
      }
    }
    expect(threads.size).toBe(0)
  })

  test('that is aborted in the middle ends with the reason and leaves no thread', async () => {
    const { replica, plan } = await large()
    const controller = new AbortController()
    const reason = new Error('enough')
    const sink = new MemorySink()
    sink.write = async () => controller.abort(reason)
    const options = { signal: controller.signal, pool: () => createKernelPool({ size: 2 }) }
    await expect(restore(replica, plan, sink, options)).rejects.toBe(reason)
    expect(sink.aborted).toBe(1)
    expect(threads.size).toBe(0)
  })
})
