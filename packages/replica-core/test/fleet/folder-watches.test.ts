import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FolderWatches, type WatchFolder } from '../../src/fleet/folder-watches.ts'
import { WALWatch } from '../../src/watch.ts'

/** Watches that raise the events that a test wants. */
class FakeSystem {
  readonly open: {
    folder: string
    event: (type: 'rename' | 'change', name: string | null) => void
    fail: (error: Error) => void
  }[] = []
  opened = 0
  refuse: string | undefined

  readonly watch: WatchFolder = (folder, event, fail) => {
    if (this.refuse) throw Object.assign(new Error('refused'), { code: this.refuse })
    const entry = { folder, event, fail }
    this.open.push(entry)
    this.opened++
    return { close: () => void this.open.splice(this.open.indexOf(entry), 1) }
  }

  change(name: string | null, type: 'rename' | 'change' = 'change'): void {
    for (const each of [...this.open]) each.event(type, name)
  }
}

describe('watches of folders', () => {
  let system: FakeSystem
  let watches: FolderWatches

  beforeEach(() => {
    system = new FakeSystem()
    watches = new FolderWatches(system.watch)
  })

  afterEach(() => {
    watches.close()
    expect(system.open).toEqual([])
    vi.useRealTimers()
  })

  it('F7: a thousand databases in a folder take one watch, and an event calls only its own', () => {
    const calls = new Map<number, number>()
    const all = Array.from({ length: 1000 }, (_, i) => {
      const listener = () => void calls.set(i, (calls.get(i) ?? 0) + 1)
      return new WALWatch(`/data/${i}.db`, listener, watches)
    })
    expect(system.open.map(({ folder }) => folder)).toEqual(['/data'])
    system.change('7.db-wal')
    system.change('7.db-wal')
    system.change('7.db')
    expect([...calls]).toEqual([[7, 2]])
    system.change(null)
    expect([...calls.values()].reduce((a, b) => a + b)).toBe(1002)
    for (const each of all.slice(1)) each.close()
    expect(system.open.length).toBe(1)
    expect(all[0]?.active).toBe(true)
    all[0]?.close()
    expect(system.open).toEqual([])
  })

  it('F7: listeners of the folder hear everything, twice if they asked twice', () => {
    const heard: (string | null)[] = []
    const listener = (name: string | null) => void heard.push(name)
    const first = watches.watch('/data', listener)
    const second = watches.watch('/data/', listener)
    system.change('a')
    first.close()
    first.close()
    system.change('b')
    second.close()
    expect(heard).toEqual(['a', 'a', 'b'])
    expect([first.active, second.active]).toEqual([false, false])
    expect(system.opened).toBe(1)
  })

  it.each(['ENOSPC', 'EMFILE', 'ENOENT'])(
    'F9: says %s when there is no watch, and tries again for the next one',
    (code) => {
      system.refuse = code
      const subscription = watches.watchFile('/data/a', () => undefined)
      expect([subscription.active, subscription.error?.code]).toEqual([false, code])
      subscription.close()
      system.refuse = undefined
      const next = watches.watchFile('/data/a', () => undefined)
      expect(next.active).toBe(true)
      next.close()
    },
  )

  it('F9: a watch that dies ends every subscription, once, and the next one begins anew', () => {
    const lost: (string | undefined)[] = []
    const first = watches.watchFile(
      '/data/a',
      () => undefined,
      ({ code }) => void lost.push(code),
    )
    const second = watches.watch(
      '/data',
      () => undefined,
      ({ code }) => void lost.push(code),
    )
    const died = system.open[0]
    died?.fail(Object.assign(new Error(), { code: 'EIO' }))
    died?.fail(Object.assign(new Error(), { code: 'EIO' }))
    expect(lost).toEqual(['EIO', 'EIO'])
    expect([first.active, second.active, first.error?.code]).toEqual([false, false, 'EIO'])
    expect(watches.size).toBe(0)
    const again = watches.watchFile('/data/a', () => undefined)
    first.close()
    expect(again.active).toBe(true)
    again.close()
  })

  it('a listener may close others while it is called', () => {
    let calls = 0
    const all = [0, 1].map(() =>
      watches.watchFile('/data/a', () => {
        calls++
        for (const each of all) each.close()
      }),
    )
    system.change('a')
    expect(calls).toBe(1)
  })

  it('the folder that took the place of a watched one is watched, and everything may have changed', () => {
    const heard: (string | null)[] = []
    watches.watch('/data', (name) => void heard.push(name))
    system.change('data', 'rename')
    expect(system.opened).toBe(2)
    expect(system.open.length).toBe(1)
    expect(heard).toEqual([null, 'data'])
    system.change('', 'rename')
    expect(system.opened).toBe(3)
    expect(heard).toEqual([null, 'data', null])
    system.refuse = 'ENOENT'
    const lost = vi.fn()
    const subscription = watches.watchFile('/data/a', () => undefined, lost)
    system.change('data', 'rename')
    expect(lost).toHaveBeenCalledOnce()
    expect(subscription.active).toBe(false)
  })

  it('F8: more than 10,000 events in one turn are suspect, as many in two turns are not', async () => {
    const suspect = vi.fn()
    watches.onSuspect(suspect)
    watches.watch('/data', () => undefined)
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < 10_000; i++) system.change('a')
    await turn()
    system.change('a')
    await turn()
    expect(suspect).not.toHaveBeenCalled()
    for (let i = 0; i < 10_001; i++) system.change('a')
    await turn()
    expect(suspect).toHaveBeenCalledOnce()
  })

  it('F8: an event loop that stood still for half a second is suspect, and nobody waits for it unasked', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const suspect = vi.fn()
    const end = watches.onSuspect(suspect)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(suspect).not.toHaveBeenCalled()
    // The clock goes on while no timer runs.
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 501)
    await vi.advanceTimersByTimeAsync(250)
    now.mockRestore()
    expect(suspect).toHaveBeenCalledOnce()
    end()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('watches of the system', () => {
  it('hear of a folder that was deleted, made again and moved away', async () => {
    using folder = new TempFolder('watch')
    const watches = new FolderWatches()
    const path = folder.join('data')
    mkdirSync(path)
    let call = () => undefined as undefined
    const next = () =>
      new Promise<undefined>((resolve) => {
        call = () => resolve(undefined) as undefined
      })
    let event = next()
    const file = watches.watchFile(`${path}/a`, () => call())
    writeFileSync(`${path}/a`, '')
    await event
    event = next()
    renameSync(path, folder.join('elsewhere'))
    mkdirSync(path)
    await event
    event = next()
    writeFileSync(`${path}/a`, '')
    await event
    expect(file.active).toBe(true)
    const lost = new Promise<NodeJS.ErrnoException>((resolve) => {
      watches.watch(path, () => undefined, resolve)
    })
    rmSync(path, { recursive: true })
    expect((await lost).code).toBe('ENOENT')
    expect(file.active).toBe(false)
    expect(watches.size).toBe(0)
    watches.close()
  })

  it('a file is no folder', () => {
    using folder = new TempFolder('watch')
    writeFileSync(folder.join('a'), '')
    const watches = new FolderWatches()
    expect(watches.watch(folder.join('a'), () => undefined).error?.code).toBe('ENOTDIR')
    expect(watches.watch(folder.join('missing'), () => undefined).error?.code).toBe('ENOENT')
    watches.close()
  })
})
