import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Attachment } from '../src/attachment.ts'
import type { PrimaryEvent } from '../src/events.ts'
import { Serial } from '../src/serial.ts'
import { Upkeep } from '../src/upkeep.ts'

/** What a database looks like to its upkeep, and what was done to it. */
class FakeDatabase {
  frames = 0
  backfill = 0
  mark = 0
  awaitedBelow = false
  walBytes = 0
  hasRemains = false
  parked = false
  running = false
  thresholdFrames = 1000
  cycleFails = false
  readonly done: string[] = []

  get attachment(): Attachment {
    const database = this
    return {
      pageSize: 4096,
      closed: false,
      files: {
        path: '/data/app.db',
        index: () => ({ mxFrame: database.frames, backfill: database.backfill }),
        walSize: () => database.walBytes,
      },
      holder: {
        get mark() {
          return database.mark
        },
        get parked() {
          return database.parked
        },
        wantsPin: false,
        mayBeAwaitedBelow: () => database.awaitedBelow,
        move: async (capture: () => Promise<void>) => {
          database.done.push('move')
          await capture()
        },
      },
      cycle: {
        get running() {
          return database.running
        },
        get thresholdFrames() {
          return database.thresholdFrames
        },
        run: async (withBarrier: boolean) => {
          database.done.push(withBarrier ? 'cycle with barrier' : 'cycle')
          if (database.cycleFails) throw new Error('disk trouble')
        },
      },
      capture: {
        get end() {
          return database.hasRemains ? undefined : {}
        },
      },
      checkpoint: async (mode: string) => database.done.push(mode),
    } as unknown as Attachment
  }
}

let database: FakeDatabase
let upkeep: Upkeep
let attachment: Attachment | undefined
const events: PrimaryEvent[] = []
let cycles = 0

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  database = new FakeDatabase()
  attachment = database.attachment
  events.length = 0
  cycles = 0
  upkeep = new Upkeep({
    serial: new Serial(),
    emit: (event) => events.push(event),
    attachment: () => attachment,
    capture: async () => void database.done.push('capture'),
    onCycle: () => cycles++,
  })
})
afterEach(() => vi.useRealTimers())

async function refreshed(): Promise<string[]> {
  database.done.length = 0
  await upkeep.refresh()
  await new Promise((resolve) => setImmediate(resolve))
  return [...database.done]
}

describe('the refresh of the holder', () => {
  it('K4: gives a dirty database a fresh holder, and captures on the way', async () => {
    Object.assign(database, { frames: 50, mark: 20 })
    expect(await refreshed()).toEqual(['move', 'capture'])
  })

  it('leaves a holder alone that is on the newest commit', async () => {
    Object.assign(database, { frames: 50, mark: 50 })
    expect(await refreshed()).toEqual([])
  })

  it('K4: leaves it where it is while a checkpoint may wait for a slot below, until the database is idle', async () => {
    Object.assign(database, { frames: 50, mark: 20, awaitedBelow: true })
    expect(await refreshed()).toEqual([])
    vi.advanceTimersByTime(2100)
    expect(await refreshed()).toEqual(['cycle'])
  })

  it('K4: a database that was idle for two seconds is checkpointed whole, without keeping anybody out', async () => {
    Object.assign(database, { frames: 50, mark: 50 })
    vi.advanceTimersByTime(1900)
    expect(await refreshed()).toEqual([])
    vi.advanceTimersByTime(200)
    expect(await refreshed()).toEqual(['cycle'])
    expect(cycles).toBe(1)
    upkeep.active()
    expect(await refreshed()).toEqual([])
  })

  it('K4: then the holder is parked in slot 0, and stays there', async () => {
    Object.assign(database, { frames: 50, backfill: 50, mark: 50 })
    vi.advanceTimersByTime(10_000)
    expect(await refreshed()).toEqual(['move', 'capture'])
    database.parked = true
    expect(await refreshed()).toEqual([])
  })

  it('past the autocheckpoint threshold moves the holder only with a checkpoint, and not too often', async () => {
    Object.assign(database, { frames: 950, mark: 20 })
    upkeep.active()
    expect(await refreshed()).toEqual(['cycle'])
    vi.advanceTimersByTime(400)
    expect(await refreshed()).toEqual([])
    vi.advanceTimersByTime(200)
    expect(await refreshed()).toEqual(['cycle'])
  })

  it('gives the space of a WAL that was once large back, when nothing happens any more', async () => {
    Object.assign(database, { frames: 50, backfill: 50, parked: true, walBytes: 65 << 20 })
    expect(await refreshed()).toEqual([])
    vi.advanceTimersByTime(2100)
    expect(await refreshed()).toEqual(['truncate'])
    database.walBytes = 64 << 20
    expect(await refreshed()).toEqual([])
  })

  it('cuts a WAL that holds what nobody may ever see, when nothing happens any more (Q1)', async () => {
    Object.assign(database, { frames: 50, backfill: 50, parked: true, hasRemains: true })
    expect(await refreshed()).toEqual([])
    vi.advanceTimersByTime(2100)
    expect(await refreshed()).toEqual(['truncate'])
    database.hasRemains = false
    expect(await refreshed()).toEqual([])
  })

  it('does nothing while a cycle runs', async () => {
    Object.assign(database, { frames: 50, mark: 20, running: true })
    vi.advanceTimersByTime(5000)
    expect(await refreshed()).toEqual([])
  })

  it('K2, K3: nor while a snapshot is read or captures fail', async () => {
    Object.assign(database, { frames: 5000, mark: 20 })
    attachment = undefined
    vi.advanceTimersByTime(5000)
    expect(await refreshed()).toEqual([])
    upkeep.checkpointIfLong()
    await upkeep.pin()
    expect(database.done).toEqual([])
  })

  it('K2: nor when that begins while it waits for its turn', async () => {
    Object.assign(database, { frames: 50, mark: 20 })
    const refreshing = upkeep.refresh()
    attachment = undefined
    await refreshing
    expect(database.done).toEqual([])
  })
})

describe('a long WAL', () => {
  it('begins a cycle at the threshold, which may keep writers out for its tail', async () => {
    database.frames = 999
    upkeep.checkpointIfLong()
    expect(database.done).toEqual([])
    database.frames = 1000
    upkeep.checkpointIfLong()
    expect(database.done).toEqual(['cycle with barrier'])
    database.running = true
    upkeep.checkpointIfLong()
    expect(database.done).toHaveLength(1)
  })

  it('is warned of from 256 MiB on, again at each doubling, and anew after it was short', () => {
    const frames = (megabytes: number): number => (megabytes * 2 ** 20) / 4096
    const warnedAt = [255, 256, 400, 511, 512, 600, 10, 300].filter((megabytes) => {
      events.length = 0
      database.frames = frames(megabytes)
      upkeep.checkpointIfLong()
      return events.some(
        (event) => event.type === 'warning' && event.code === 'large-wal' && event.hint !== '',
      )
    })
    expect(warnedAt).toEqual([256, 512, 300])
  })

  it('a cycle that fails is reported, and the next one is tried', async () => {
    Object.assign(database, { frames: 5000, cycleFails: true })
    upkeep.checkpointIfLong()
    await new Promise((resolve) => setImmediate(resolve))
    expect(events).toEqual([expect.objectContaining({ type: 'failed', operation: 'checkpoint' })])
    expect(cycles).toBe(0)
    upkeep.checkpointIfLong()
    expect(database.done).toHaveLength(2)
  })
})
