import { watch as watchFolder, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FolderWatches } from '../src/fleet/folder-watches.ts'
import { WALSchedule } from '../src/schedule.ts'
import { WALWatch } from '../src/watch.ts'

type Look = number | 'soon' | undefined

/** A schedule over fake timers; `answers` are what looking brings, one after the other, then nothing more. */
class Timeline {
  readonly looks: number[] = []
  readonly polls: number[] = []
  readonly refreshes: number[] = []
  readonly answers: Look[] = []
  readonly schedule: WALSchedule
  readonly #started = performance.now()

  constructor(database: string, times = { quietMs: 5, maxDelayMs: 50 }) {
    this.schedule = new WALSchedule(database, times, {
      look: async () => {
        this.looks.push(this.now)
        return this.answers.shift()
      },
      poll: async () => void this.polls.push(this.now),
      refresh: async () => void this.refreshes.push(this.now),
    })
  }

  get now(): number {
    return Math.round(performance.now() - this.#started)
  }

  /** Past the first look, which comes without an event. */
  async settle(): Promise<void> {
    await vi.advanceTimersByTimeAsync(20)
    expect(this.looks).toEqual([5])
    this.looks.length = 0
  }
}

describe('when to look at the WAL', () => {
  let folder: TempFolder
  let line: Timeline

  beforeEach(async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    })
    folder = new TempFolder('schedule')
    line = new Timeline(folder.join('app.db'))
  })

  afterEach(() => {
    line.schedule.close()
    vi.useRealTimers()
    folder.remove()
  })

  it('at the start, without waiting for an event', async () => {
    await line.settle()
  })

  it('a few quiet milliseconds after an event, once for all of a burst', async () => {
    await line.settle()
    const from = line.now
    for (let i = 0; i < 4; i++) {
      line.schedule.event()
      await vi.advanceTimersByTimeAsync(3)
    }
    await vi.advanceTimersByTimeAsync(100)
    expect(line.looks.map((at) => at - from)).toEqual([9 + 5])
  })

  it('at the latest after the longest delay, however long the burst', async () => {
    await line.settle()
    const from = line.now
    for (let i = 0; i < 60; i++) {
      line.schedule.event()
      await vi.advanceTimersByTimeAsync(2)
    }
    expect(line.looks[0]! - from).toBeGreaterThanOrEqual(48)
    expect(line.looks[0]! - from).toBeLessThanOrEqual(52)
    // The next burst has its own patience.
    expect(line.looks[1]! - line.looks[0]!).toBeGreaterThanOrEqual(48)
  })

  it('without setting a timer for each event', async () => {
    await line.settle()
    line.schedule.event()
    const set = vi.spyOn(globalThis, 'setTimeout')
    for (let i = 0; i < 1000; i++) line.schedule.event()
    expect(set).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(100)
    expect(line.looks).toHaveLength(1)
  })

  it('again and again at growing distances after an event that brought nothing, but not for ever', async () => {
    await line.settle()
    line.answers.push(...Array<Look>(20).fill('soon'))
    const from = line.now
    line.schedule.event()
    await vi.advanceTimersByTimeAsync(900)
    const at = line.looks.map((look) => look - from)
    expect(at).toEqual([5, 7, 11, 19, 35, 67, 131, 259])
    // A new event begins anew with short distances.
    line.looks.length = 0
    const second = line.now
    line.schedule.event()
    await vi.advanceTimersByTimeAsync(12)
    expect(line.looks.map((look) => look - second)).toEqual([5, 7, 11])
  })

  it('when the look itself says so', async () => {
    await line.settle()
    line.answers.push(333)
    const from = line.now
    line.schedule.event()
    await vi.advanceTimersByTimeAsync(600)
    expect(line.looks.map((look) => look - from)).toEqual([5, 338])
  })

  it('within a given time, once for all who ask, whatever events come', async () => {
    await line.settle()
    const from = line.now
    line.schedule.lookWithin(4)
    line.schedule.lookWithin(1)
    for (let i = 0; i < 3; i++) {
      line.schedule.event()
      await vi.advanceTimersByTimeAsync(2)
    }
    expect(line.looks.map((look) => look - from)).toEqual([4])
  })

  it('every few milliseconds without events while the writer is busy, and with events again later', async () => {
    await line.settle()
    for (let millisecond = 0; millisecond < 160; millisecond++) {
      line.schedule.event()
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(line.schedule.hasEvents).toBe(false)
    line.looks.length = 0
    await vi.advanceTimersByTimeAsync(1000)
    expect(line.looks.length).toBeGreaterThan(190)
    await vi.advanceTimersByTimeAsync(1100)
    expect(line.schedule.hasEvents).toBe(true)
    line.looks.length = 0
    await vi.advanceTimersByTimeAsync(500)
    expect(line.looks).toEqual([])
  })

  it('never again after close, busy or not', async () => {
    await line.settle()
    for (let millisecond = 0; millisecond < 160; millisecond++) {
      line.schedule.event()
      await vi.advanceTimersByTimeAsync(1)
    }
    line.schedule.close()
    line.looks.length = 0
    await vi.advanceTimersByTimeAsync(5000)
    expect(line.looks).toEqual([])
  })

  it('every second anyway, and the holder is refreshed every 200 ms', async () => {
    await vi.advanceTimersByTimeAsync(3100)
    expect(line.polls).toEqual([1000, 2000, 3000])
    expect(line.refreshes).toHaveLength(15)
  })

  it('never again after close', async () => {
    line.schedule.event()
    line.schedule.close()
    await vi.advanceTimersByTimeAsync(5000)
    expect([line.looks, line.polls, line.refreshes]).toEqual([[], [], []])
  })
})

describe('file events', () => {
  it('come for the WAL and for nothing else in the folder', async () => {
    using folder = new TempFolder('watch')
    let events = 0
    let heard: (() => void) | undefined
    const watch = new WALWatch(folder.join('app.db'), () => {
      events++
      heard?.()
    })
    expect(watch.active).toBe(true)
    // Events of one folder come in order: after that of the marker, all before it have come.
    const marker = new Promise<void>((resolve) => {
      const other = watchFolder(folder.path, (_type, name) => {
        if (name !== 'marker') return
        other.close()
        resolve()
      })
    })
    for (const name of ['other', 'app.db', 'app.db-shm', 'marker']) writeFileSync(folder.join(name), 'x')
    await marker
    expect(events).toBe(0)
    const came = new Promise<void>((resolve) => {
      heard = resolve
    })
    writeFileSync(folder.join('app.db-wal'), 'x')
    await came
    watch.close()
    expect(watch.active).toBe(false)
  })

  it('are done without where the folder cannot be watched', () => {
    const watch = new WALWatch('/nowhere/at/all/app.db', () => undefined)
    expect(watch.active).toBe(false)
    watch.close()
  })
})

describe('watches that databases share', () => {
  it('F7: hear only of their own WAL, and end without ending the others', async () => {
    using folder = new TempFolder('shared-watch')
    const watches = new FolderWatches()
    const events = new Set<string>()
    let heard = () => {}
    const watch = (name: string) =>
      new WALWatch(
        folder.join(name),
        () => {
          events.add(name)
          heard()
        },
        watches,
      )
    const a = watch('a.db')
    const b = watch('b.db')
    expect(watches.size).toBe(1)
    for (const name of ['a.db', 'b.db']) {
      expect(events.has(name)).toBe(false)
      const event = new Promise<void>((resolve) => {
        heard = () => events.has(name) && resolve()
      })
      writeFileSync(folder.join(`${name}-wal`), name)
      await event
    }
    a.close()
    expect([a.active, b.active, watches.size]).toEqual([false, true, 1])
    b.close()
    expect(watches.size).toBe(0)
  })
})
