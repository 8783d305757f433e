import {
  Block,
  createJobRunner,
  type KernelJob,
  type KernelRequest,
  type PoolWorker,
  type PoolWorkerEvents,
  WorkerPool,
} from '@sqlstream/ltx/pool'
import { describe, expect, test } from 'vitest'
import { pageData } from '../files.ts'

/** A worker that does what the test says, when it says so. */
class Puppet implements PoolWorker {
  readonly events: PoolWorkerEvents
  readonly requests: KernelRequest[] = []
  readonly busy: boolean[] = []
  terminated = 0
  readonly #run = createJobRunner()

  constructor(events: PoolWorkerEvents) {
    this.events = events
  }

  post(request: KernelRequest): void {
    this.requests.push(structuredClone(request, { transfer: [request.buffer] }))
  }

  setBusy(busy: boolean): void {
    this.busy.push(busy)
  }

  terminate(): void {
    this.terminated++
  }

  /** Answers the request that came last. */
  answer(): void {
    this.events.onReply(this.#run(this.requests.at(-1)!))
  }
}

function puppetPool(size: number): { readonly pool: WorkerPool; readonly puppets: Puppet[] } {
  const puppets: Puppet[] = []
  const pool = new WorkerPool(size, (events) => {
    puppets.push(new Puppet(events))
    return puppets.at(-1)!
  })
  return { pool, puppets }
}

/** One page to encode, which tells the jobs apart. */
function work(pgno: number): [KernelJob, Block] {
  const block = new Block({ pageSize: 512, capacity: 2 })
  block.pages.set(pageData(512, pgno))
  block.pgnos[0] = pgno
  return [{ kind: 'encode', count: 1, track: false }, block]
}

/** The outcome of a promise that may have been rejected. */
const outcome = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)

describe('a pool of workers', () => {
  test('starts a worker when a job comes and none is idle, at most as many as its size', async () => {
    const { pool, puppets } = puppetPool(2)
    expect(puppets.length).toBe(0)
    const first = pool.run(...work(1))
    expect(puppets.length).toBe(1)
    puppets[0]!.answer()
    await first
    const jobs = [2, 3, 4].map((pgno) => pool.run(...work(pgno)))
    expect(puppets.length).toBe(2)
    expect(puppets.map((p) => p.requests.length)).toEqual([2, 1])
    puppets[1]!.answer()
    expect(puppets.map((p) => p.requests.length)).toEqual([2, 2])
    puppets[1]!.answer()
    puppets[0]!.answer()
    expect((await Promise.all(jobs)).map(({ block }) => block.pgnos[0])).toEqual([2, 3, 4])
  })

  test('takes the block, whose views are empty then, and gives its memory back with the result', async () => {
    const { pool, puppets } = puppetPool(1)
    const [job, block] = work(7)
    const running = pool.run(job, block)
    expect([block.buffer.byteLength, block.pages.byteLength, block.pgnos.length]).toEqual([0, 0, 0])
    puppets[0]!.answer()
    const done = await running
    expect(done).toMatchObject({ ok: true, count: 1, hashed: 10 + 512 })
    expect(done.block.pages.subarray(0, 512)).toEqual(pageData(512, 7))
    expect(Buffer.from(done.block.frames).readUInt32BE(0)).toBe(7)
  })

  test('tells a worker when it has work and when it has none', async () => {
    const { pool, puppets } = puppetPool(1)
    const running = [pool.run(...work(1)), pool.run(...work(2))]
    expect(puppets[0]!.busy).toEqual([true])
    puppets[0]!.answer()
    puppets[0]!.answer()
    await Promise.all(running)
    expect(puppets[0]!.busy).toEqual([true, false, true, false])
  })

  test('a worker that dies fails its job alone, with the cause, and is replaced for the next one', async () => {
    const { pool, puppets } = puppetPool(2)
    const jobs = [1, 2, 3].map((pgno) => outcome(pool.run(...work(pgno))))
    const cause = new Error('out of memory')
    puppets[0]!.events.onEnd(cause)
    puppets[0]!.events.onEnd(new Error('it exited'))
    expect(puppets[0]!.terminated).toBe(1)
    expect(await jobs[0]).toMatchObject({ message: 'a kernel worker has ended', cause })
    expect(puppets.map((p) => p.requests.length)).toEqual([1, 1, 1])
    puppets[2]!.answer()
    puppets[1]!.answer()
    expect(await Promise.all(jobs.slice(1))).toMatchObject([{ ok: true }, { ok: true }])
  })

  test('an idle worker that dies is not missed', async () => {
    const { pool, puppets } = puppetPool(1)
    const first = pool.run(...work(1))
    puppets[0]!.answer()
    await first
    puppets[0]!.events.onEnd(new Error('killed'))
    const second = pool.run(...work(2))
    expect(puppets.length).toBe(2)
    puppets[1]!.answer()
    expect(await second).toMatchObject({ ok: true })
  })

  test('workers that cannot be started fail each job instead of letting it wait', async () => {
    const cause = new Error('no more threads')
    const pool = new WorkerPool(2, () => {
      throw cause
    })
    const jobs = [1, 2, 3].map((pgno) => outcome(pool.run(...work(pgno))))
    for (const error of await Promise.all(jobs)) expect(error).toMatchObject({ cause })
  })

  test('a block that was handed over before fails its job', async () => {
    const { pool, puppets } = puppetPool(1)
    const [job, block] = work(1)
    const first = pool.run(job, block)
    puppets[0]!.answer()
    await first
    expect(await outcome(pool.run(job, block))).toMatchObject({ message: 'a kernel worker has ended' })
  })

  test('an aborted signal fails a job before it takes the block', async () => {
    const { pool, puppets } = puppetPool(1)
    const [job, block] = work(1)
    const reason = new Error('enough')
    expect(await outcome(pool.run(job, block, { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(puppets.length).toBe(0)
    expect(block.buffer.byteLength).toBeGreaterThan(0)
  })

  test('an abort fails waiting and running jobs at once; a late answer changes nothing', async () => {
    const { pool, puppets } = puppetPool(1)
    const controller = new AbortController()
    const { signal } = controller
    const jobs = [1, 2].map((pgno) => outcome(pool.run(...work(pgno), { signal })))
    const other = pool.run(...work(3))
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await Promise.all(jobs)).toEqual([reason, reason])
    expect(puppets[0]!.requests.length).toBe(1)
    puppets[0]!.answer()
    expect(puppets[0]!.requests.length).toBe(2)
    puppets[0]!.answer()
    expect((await other).block.pgnos[0]).toBe(3)
  })

  test('close fails all jobs, ends all workers and refuses what comes later', async () => {
    const { pool, puppets } = puppetPool(2)
    const jobs = [1, 2, 3].map((pgno) => outcome(pool.run(...work(pgno))))
    await pool.close()
    await pool.close()
    jobs.push(outcome(pool.run(...work(4))))
    for (const error of await Promise.all(jobs)) {
      expect(error).toMatchObject({ message: 'the kernel pool is closed' })
    }
    expect(puppets.map((p) => p.terminated)).toEqual([1, 1])
    expect(puppets.map((p) => p.requests.length)).toEqual([1, 1])
  })

  test.each([0, -1, 1.5, Number.NaN])('of %d workers is refused', (size) => {
    expect(() => puppetPool(size)).toThrow(RangeError)
  })
})

describe('a block', () => {
  test('has aligned views of its one buffer that do not overlap', () => {
    const block = new Block({ pageSize: 1024, capacity: 3 })
    const views = [block.pgnos, block.frameSizes, block.pageSums, block.pages, block.frames]
    expect(views.map(({ length }) => length)).toEqual([3, 3, 6, 3072, 3 * (10 + 1024 + 4 + 16)])
    let end = 0
    for (const view of views) {
      expect(view.buffer).toBe(block.buffer)
      expect(view.byteOffset).toBe(end)
      end += view.byteLength
    }
    expect(end).toBe(block.buffer.byteLength)
  })

  test('refuses a buffer of another shape', () => {
    const { buffer } = new Block({ pageSize: 1024, capacity: 3 })
    expect(() => new Block({ pageSize: 1024, capacity: 4 }, buffer)).toThrow(RangeError)
  })
})
