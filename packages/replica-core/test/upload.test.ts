import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createHeader, Encoder, type PageSize, toTXID } from '@sqlstream/ltx'
import { assumeSoleWriter, Replica } from '@sqlstream/replica'
import {
  type Fault,
  type FaultyStore,
  MemoryStore,
  Slots,
  type StorageError,
  withFaults,
} from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LiveSnapshot } from '../src/capture/context.ts'
import { PrimaryError } from '../src/errors.ts'
import type { PrimaryEvent } from '../src/events.ts'
import { Spool, type SpoolFile } from '../src/state/spool.ts'
import { Uploader } from '../src/upload.ts'

const PAGE: PageSize = 512

function ltxBytes(min: number, max: number, timestamp: number, fill = max): Uint8Array {
  const encoder = new Encoder(
    createHeader({
      pageSize: PAGE,
      commit: 1,
      minTXID: toTXID(BigInt(min)),
      maxTXID: toTXID(BigInt(max)),
      timestamp,
    }),
  )
  const page = { pgno: 1, data: new Uint8Array(PAGE).fill(fill) }
  return Buffer.concat([encoder.start(), encoder.page(page), encoder.finish()].map((part) => part.slice()))
}

/** An uploader over a store that fails as planned. */
class Scene {
  readonly folder = new TempFolder('upload')
  readonly store: FaultyStore
  readonly replica: Replica
  readonly spool: Spool
  readonly events: PrimaryEvent[] = []
  readonly fenced: Error[] = []
  readonly lost: Error[] = []
  readonly late: Error[] = []
  /** Whose file it is that lies in the way. */
  judge: () => Promise<'late' | 'foreign'> = async () => 'foreign'
  readonly uploader: Uploader

  constructor(plan: readonly Fault[] = [], uploaded?: number, slots?: Slots) {
    mkdirSync(this.folder.join('spool'))
    this.store = withFaults(new MemoryStore(), plan)
    this.replica = new Replica(this.store, { layout: 'plain' })
    this.spool = new Spool(this.folder.join('spool'))
    this.uploader = new Uploader(
      {
        writer: this.replica.writer(assumeSoleWriter('test')),
        captureState: { spool: this.spool, synced: async () => undefined, acknowledge: () => undefined },
        emit: (event) => this.events.push(event),
        slots,
        judge: () => this.judge(),
        onFenced: (error) => this.fenced.push(error),
        onLate: (error) => this.late.push(error),
        onLost: (error) => this.lost.push(error),
      },
      uploaded === undefined ? undefined : toTXID(BigInt(uploaded)),
    )
  }

  /** Puts a file into the spool. */
  spooled(txid: number): SpoolFile {
    const writer = this.spool.create()
    writer.write(ltxBytes(txid, txid, 1000 + txid))
    const n = toTXID(BigInt(txid))
    return writer.finish({ minTXID: n, maxTXID: n })
  }

  enqueue(...txids: number[]): void {
    for (const txid of txids) this.uploader.enqueue({ kind: 'file', file: this.spooled(txid) })
  }

  wait(txid: number, signal?: AbortSignal): Promise<void> {
    return this.uploader.waitFor(toTXID(BigInt(txid)), signal)
  }

  /** TXIDs in the replica, in order. */
  async there(level = 0): Promise<number[]> {
    const files = (await this.replica.catalog()).levels.get(level) ?? []
    return files.map((file) => Number(file.maxTXID))
  }

  spoolHolds(): number[] {
    return this.spool.list().map((file) => Number(file.maxTXID))
  }

  failures(): Extract<PrimaryEvent, { type: 'failed' }>[] {
    return this.events.filter((event) => event.type === 'failed')
  }

  /** A snapshot in memory; `breakAt` makes the live database unreadable for that reading. */
  snapshot(txid: number, breakAt?: number): { snapshot: LiveSnapshot; readings: () => number } {
    let readings = 0
    const bytes = ltxBytes(1, txid, 5000)
    const header = createHeader({
      pageSize: PAGE,
      commit: 1,
      minTXID: toTXID(1n),
      maxTXID: toTXID(BigInt(txid)),
      timestamp: 5000,
    })
    const snapshot: LiveSnapshot = {
      level: 9,
      header,
      pages: 1,
      async *body() {
        readings++
        if (readings === breakAt) throw new PrimaryError('wal-discontinuous', 'changed while it was read')
        yield bytes
      },
    }
    return { snapshot, readings: () => readings }
  }
}

let scene: Scene
function begin(plan: readonly Fault[] = [], uploaded?: number, slots?: Slots): Scene {
  scene = new Scene(plan, uploaded, slots)
  return scene
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(async () => {
  await scene.uploader.stop()
  scene.folder.remove()
  vi.useRealTimers()
})

describe('uploads', () => {
  it('P2: go one after the other, oldest first, and leave the spool when they are acknowledged', async () => {
    let running = 0
    let most = 0
    const order: string[] = []
    const s = begin([
      {
        operation: 'put',
        fault: 'delay',
        wait: async () => {
          most = Math.max(most, ++running)
          order.push(s.spoolHolds().join())
          await Promise.resolve()
          running--
        },
      },
    ])
    s.enqueue(1, 2, 3)
    expect(s.uploader.pendingFiles).toBe(3)
    expect(s.uploader.pendingBytes).toBe(s.spool.list().reduce((sum, { size }) => sum + size, 0))
    await s.wait(3)
    expect(most).toBe(1)
    // All are queued while the first waits to be durable here.
    expect(order).toEqual(['1,2,3', '2,3', '3'])
    expect(await s.there()).toEqual([1, 2, 3])
    expect(s.spoolHolds()).toEqual([])
    expect(s.uploader.uploaded).toBe(3n)
    expect([s.uploader.pendingFiles, s.uploader.pendingBytes]).toEqual([0, 0])
    expect(s.events.map((event) => event.type)).toEqual(['uploaded', 'uploaded', 'uploaded'])
  })

  it('carry the time of their header', async () => {
    const s = begin()
    s.enqueue(7)
    await s.wait(7)
    const [file] = (await s.replica.catalog()).levels.get(0)!
    expect((await s.replica.header(file!)).timestamp).toBe(1007)
    expect(s.events[0]).toMatchObject({ type: 'uploaded', file: { timestamp: new Date(1007) } })
  })

  it('P1: nobody hears of success before the store has acknowledged', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const s = begin([{ operation: 'put', fault: 'delay', when: 'after', wait: () => gate }])
    s.enqueue(1)
    let heard = false
    const waiting = s.wait(1).then(() => {
      heard = true
    })
    await vi.advanceTimersByTimeAsync(1000)
    expect(heard).toBe(false)
    expect(s.spoolHolds()).toEqual([1])
    open()
    await waiting
  })

  it('waiters share one put, and each hears as soon as its own is there', async () => {
    const s = begin()
    s.enqueue(1, 2)
    const heard: number[] = []
    await Promise.all([2, 1, 1, 2, 1].map((txid) => s.wait(txid).then(() => heard.push(txid))))
    expect(heard).toEqual([1, 1, 1, 2, 2])
    expect(s.events).toHaveLength(2)
    // What is there already needs nothing.
    await s.wait(1)
    expect(s.events).toHaveLength(2)
  })

  it('a file that is queued while the last upload ends is not left lying', async () => {
    const s = begin()
    // After every possible number of turns of the microtask queue.
    for (let turns = 0; turns < 40; turns++) {
      const txid = turns * 2 + 1
      s.enqueue(txid)
      for (let i = 0; i < turns; i++) await Promise.resolve()
      s.enqueue(txid + 1)
      await vi.advanceTimersByTimeAsync(1)
      expect(s.uploader.pendingFiles, `${turns} turns`).toBe(0)
    }
  })
})

describe('failures', () => {
  it('T2: are repeated with growing pauses up to half a minute, in order, until they pass', async () => {
    const s = begin([{ operation: 'put', fault: 'fail', error: 'unavailable', at: [1, 10] }])
    s.enqueue(1, 2)
    for (let i = 0; i < 10; i++) await vi.advanceTimersByTimeAsync(30_000)
    expect(s.failures().map(({ retryInMs }) => retryInMs)).toEqual([
      200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000,
    ])
    await s.wait(2)
    expect(await s.there()).toEqual([1, 2])
    expect(s.uploader.lastError).toBeUndefined()
  })

  it('P2: nothing is put after a file that failed', async () => {
    const s = begin([{ operation: 'put', key: /0000002-/, fault: 'fail', at: [1, 3] }])
    s.enqueue(1, 2, 3)
    await vi.advanceTimersByTimeAsync(100)
    expect(await s.there()).toEqual([1])
    expect(s.uploader.lastError).toMatchObject({ name: 'StorageError', code: 'unavailable' })
    expect(s.spoolHolds()).toEqual([2, 3])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await s.there()).toEqual([1, 2, 3])
  })

  it('an answer that was lost is found to be success', async () => {
    const s = begin([{ operation: 'put', fault: 'applied-but-failed', at: 1 }])
    s.enqueue(1)
    await s.wait(1)
    expect(s.failures()).toEqual([])
    expect(await s.there()).toEqual([1])
  })

  it('a lost answer whose reading back fails too is repeated, and found to be success then', async () => {
    const s = begin([
      { operation: 'put', fault: 'applied-but-failed', at: 1 },
      { operation: 'get', fault: 'fail', at: 1 },
    ])
    s.enqueue(1)
    await vi.advanceTimersByTimeAsync(250)
    await s.wait(1)
    expect(s.failures()).toHaveLength(1)
    expect(s.fenced).toEqual([])
  })

  it('a transient one lets waiters wait on, a permanent one rejects them and is repeated all the same', async () => {
    const s = begin([
      { operation: 'put', fault: 'fail', error: 'unavailable', at: 1 },
      { operation: 'put', fault: 'fail', error: 'permission-denied', at: 2 },
    ])
    s.enqueue(1)
    const outcome = s.wait(1).then(
      () => 'there',
      (error: StorageError) => error.code,
    )
    await vi.advanceTimersByTimeAsync(150)
    expect(await Promise.race([outcome, Promise.resolve('still waiting')])).toBe('still waiting')
    await vi.advanceTimersByTimeAsync(100)
    expect(await outcome).toBe('permission-denied')
    expect(s.spoolHolds()).toEqual([1])
    await vi.advanceTimersByTimeAsync(1000)
    await s.wait(1)
  })

  it('who begins to wait cuts the pause short', async () => {
    const s = begin([{ operation: 'put', fault: 'fail', at: [1, 5] }])
    s.enqueue(1)
    for (let i = 0; i < 5; i++) await vi.advanceTimersByTimeAsync(10_000)
    s.store.setPlan([{ operation: 'put', fault: 'fail', at: 1 }])
    s.enqueue(2)
    await vi.advanceTimersByTimeAsync(1)
    await s.wait(2)
    expect(await s.there()).toEqual([1, 2])
  })

  it('a waiter can give up; the upload goes on', async () => {
    const s = begin([{ operation: 'put', fault: 'fail', at: [1, 2] }])
    s.enqueue(1)
    await expect(s.wait(1, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
    const stop = new AbortController()
    const waiting = s.wait(1, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await s.there()).toEqual([1])
  })
})

describe('another writer', () => {
  async function foreignFile(s: Scene, txid: number): Promise<void> {
    const n = toTXID(BigInt(txid))
    const writer = s.replica.writer(assumeSoleWriter('another'))
    await writer.put(0, { minTXID: n, maxTXID: n }, ltxBytes(txid, txid, 1, 99), { timestamp: new Date(1) })
  }

  it('T1, P2: is met once, ends the uploads for good, and leaves the spool as it is', async () => {
    const s = begin()
    await foreignFile(s, 2)
    s.enqueue(1, 2, 3)
    const waiting = Promise.all([s.wait(1), s.wait(2).catch((error: PrimaryError) => error)])
    const [, error] = await waiting
    expect(error).toMatchObject({ name: 'PrimaryError', code: 'fenced', hint: expect.any(String) })
    expect(s.fenced).toEqual([error])
    expect(s.spoolHolds()).toEqual([2, 3])
    expect(await s.there()).toEqual([1, 2])
    // Nothing revives it.
    s.enqueue(4)
    s.uploader.retryNow()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await s.there()).toEqual([1, 2])
    await expect(s.wait(4)).rejects.toMatchObject({ code: 'fenced' })
    await s.wait(1)
    expect(s.fenced).toHaveLength(1)
  })

  it('E8: a file that a former holder sent late is told once; what is queued waits to be discarded', async () => {
    const s = begin()
    s.judge = async () => 'late'
    await foreignFile(s, 2)
    s.enqueue(1, 2, 3)
    await s.wait(1)
    await vi.advanceTimersByTimeAsync(60_000)
    s.enqueue(4)
    s.uploader.retryNow()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(s.late).toHaveLength(1)
    expect(s.fenced).toEqual([])
    expect(await s.there()).toEqual([1, 2])
    s.uploader.discard()
    const { snapshot } = s.snapshot(9)
    s.uploader.enqueue({ kind: 'snapshot', snapshot, done: () => undefined, broken: () => undefined })
    s.enqueue(10)
    await s.wait(10)
    expect(await s.there()).toEqual([1, 2, 10])
    expect(await s.there(9)).toEqual([9])
  })

  it('E8: as long as nobody can tell whose it is, it is tried again', async () => {
    const s = begin()
    let asked = 0
    s.judge = async () => {
      if (++asked < 3) throw new Error('no network')
      return 'foreign'
    }
    await foreignFile(s, 1)
    s.enqueue(1)
    const waiting = s.wait(1).catch((error: PrimaryError) => error.code)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await waiting).toBe('fenced')
    expect(asked).toBe(3)
  })
})

describe('the end', () => {
  it('comes at once in the middle of an upload, and leaves the spool', async () => {
    const s = begin([{ operation: 'put', fault: 'delay', wait: () => new Promise(() => undefined) }])
    s.enqueue(1, 2)
    const waiting = expect(s.wait(1)).rejects.toMatchObject({ code: 'closed' })
    await s.uploader.stop()
    await waiting
    expect(s.spoolHolds()).toEqual([1, 2])
    expect(s.failures()).toEqual([])
  })

  it('comes at once in a pause, and nobody can wait any more', async () => {
    const s = begin([{ operation: 'put', fault: 'fail' }])
    s.enqueue(1)
    await vi.advanceTimersByTimeAsync(1)
    await s.uploader.stop()
    await expect(s.wait(1)).rejects.toMatchObject({ code: 'closed' })
    s.enqueue(2)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(s.spoolHolds()).toEqual([1, 2])
  })
})

describe('snapshots', () => {
  it('S5: go to level 9 as 1-<txid>, and files behind them after them', async () => {
    const s = begin()
    const { snapshot } = s.snapshot(5)
    let done = 0
    s.uploader.enqueue({ kind: 'snapshot', snapshot, done: () => done++, broken: () => undefined })
    s.enqueue(6)
    await s.wait(6)
    expect(await s.there(9)).toEqual([5])
    expect((await s.replica.catalog()).levels.get(9)![0]).toMatchObject({ minTXID: 1n, maxTXID: 5n })
    expect(await s.there()).toEqual([6])
    expect(done).toBe(1)
    expect(s.events.map((event) => event.type)).toEqual(['snapshotted', 'uploaded'])
  })

  it('are read again for every attempt', async () => {
    const s = begin([{ operation: 'put', fault: 'fail', at: [1, 2] }])
    const { snapshot } = s.snapshot(5)
    let done = 0
    s.uploader.enqueue({ kind: 'snapshot', snapshot, done: () => done++, broken: () => undefined })
    await vi.advanceTimersByTimeAsync(5000)
    expect(await s.there(9)).toEqual([5])
    expect(done).toBe(1)
  })

  it('K2: one whose database changed while it was read is given up with all behind it; the next is uploaded', async () => {
    const s = begin()
    const first = s.snapshot(5, 1)
    const second = s.snapshot(8)
    const broken: Error[] = []
    let done = 0
    s.uploader.enqueue({
      kind: 'snapshot',
      snapshot: first.snapshot,
      done: () => done++,
      broken: (error) => {
        broken.push(error)
        // Taken at once: the uploader must not go to sleep over it.
        s.uploader.enqueue({
          kind: 'snapshot',
          snapshot: second.snapshot,
          done: () => done++,
          broken: () => undefined,
        })
      },
    })
    s.enqueue(6, 7)
    await s.wait(8)
    expect(broken).toHaveLength(1)
    expect(done).toBe(1)
    expect(await s.there(9)).toEqual([8])
    expect(await s.there()).toEqual([])
    expect(s.spoolHolds()).toEqual([])
  })

  it('P2: one that is queued while a discarded file is on its way is uploaded after it', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const s = begin([{ operation: 'put', at: 1, fault: 'delay', wait: () => gate }])
    s.enqueue(1, 2)
    await vi.advanceTimersByTimeAsync(1)
    s.uploader.discard()
    expect(s.spoolHolds()).toEqual([])
    const { snapshot } = s.snapshot(3)
    let done = 0
    s.uploader.enqueue({ kind: 'snapshot', snapshot, done: () => done++, broken: () => undefined })
    s.enqueue(4)
    open()
    await vi.advanceTimersByTimeAsync(1000)
    expect(await s.there(9)).toEqual([3])
    expect(await s.there()).toEqual([1, 4])
    expect(done).toBe(1)
    expect([s.uploader.pendingFiles, s.uploader.pendingBytes]).toEqual([0, 0])
  })

  it('K2: one that is discarded no longer holds the database', async () => {
    const s = begin([{ operation: 'put', fault: 'fail', at: 1 }])
    const { snapshot } = s.snapshot(3)
    const ended: string[] = []
    s.uploader.enqueue({
      kind: 'snapshot',
      snapshot,
      done: () => ended.push('done'),
      broken: () => ended.push('broken'),
    })
    await vi.advanceTimersByTimeAsync(1)
    s.uploader.discard()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ended).toEqual(['done'])
    expect(await s.there(9)).toEqual([])
  })
})

describe('one of many databases', () => {
  /** Takes the only slot until the returned function is called. */
  async function taken(slots: Slots): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    void slots.run(() => promise)
    await vi.advanceTimersByTimeAsync(0)
    return resolve
  }

  it('P2: puts what came while it waited for its turn with one request, while others wait too', async () => {
    const slots = new Slots(1)
    const s = begin([], undefined, slots)
    const go = await taken(slots)
    s.enqueue(1)
    await vi.advanceTimersByTimeAsync(1)
    s.enqueue(2, 3)
    const other = slots.run(async () => undefined)
    go()
    await s.wait(3)
    expect(s.events.filter(({ type }) => type === 'uploaded')).toMatchObject([{ captures: 3 }])
    await other
    // Nobody waits any more: each is a point of its own again.
    s.enqueue(4, 5)
    await s.wait(5)
    expect(await s.there()).toEqual([3, 4, 5])
  })

  it('P2: puts nothing when all was dropped while it waited for its turn', async () => {
    const slots = new Slots(1)
    const s = begin([], undefined, slots)
    const go = await taken(slots)
    s.enqueue(1, 2)
    await vi.advanceTimersByTimeAsync(1)
    s.uploader.discard()
    s.enqueue(3)
    go()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await s.there()).toEqual([])
    const { snapshot } = s.snapshot(4)
    s.uploader.enqueue({ kind: 'snapshot', snapshot, done: () => undefined, broken: () => undefined })
    await s.wait(4)
    expect(await s.there(9)).toEqual([4])
  })
})

describe('a spooled file that is gone', () => {
  it.each([
    ['removed', (file: SpoolFile) => rmSync(file.path)],
    ['cut', (file: SpoolFile) => writeFileSync(file.path, 'x')],
  ])('P2: (%s) is reported once, and nothing behind it is uploaded', async (_name, damage) => {
    const s = begin([{ operation: 'put', at: 1, fault: 'fail' }])
    s.enqueue(1, 2, 3)
    damage(s.spool.list()[1]!)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await s.there()).toEqual([1])
    expect(s.lost).toHaveLength(1)
    expect(s.uploader.pendingFiles).toBe(0)
  })

  it('P2: what is captured before a snapshot stands for it is not uploaded', async () => {
    const s = begin()
    s.enqueue(1, 2)
    rmSync(s.spool.list()[0]!.path)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(s.lost).toHaveLength(1)
    expect(s.uploader.held).toBe(true)
    s.enqueue(3)
    s.uploader.retryNow()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await s.there()).toEqual([])
    s.uploader.discard()
    const { snapshot } = s.snapshot(4)
    s.uploader.enqueue({ kind: 'snapshot', snapshot, done: () => undefined, broken: () => undefined })
    s.enqueue(5)
    await s.wait(5)
    expect(await s.there(9)).toEqual([4])
    expect(await s.there()).toEqual([5])
  })

  it('P2: nor by a put that was under way when everything behind it was dropped', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const s = begin([{ operation: 'put', at: 1, fault: 'delay', wait: () => gate }])
    s.enqueue(1, 2)
    await vi.advanceTimersByTimeAsync(1)
    s.uploader.discard()
    s.enqueue(3)
    open()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await s.there()).toEqual([1])
  })
})
