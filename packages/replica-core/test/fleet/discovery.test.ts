import fs, {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FolderWatches, type WatchFolder } from '../../src/fleet/folder-watches.ts'
import { DiscoveryLog, header, place } from './discovery-log.ts'

let folder: TempFolder
let root: string
const at = (...names: string[]) => folder.join('root', ...names)

beforeEach(() => {
  folder = new TempFolder('discovery')
  root = folder.join('root')
  mkdirSync(root)
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  syncBuiltinESMExports()
  folder.remove()
})

/** No events at all: what is found, scans have found. */
const DEAF: WatchFolder = () => ({ close: () => undefined })

describe('what is found', () => {
  it('F1: databases in WAL mode, by their header, whatever their name', async () => {
    place(at('app.sqlite'))
    place(at('t/no-suffix'))
    place(at('t/notes.db'), 'no database')
    place(at('t/empty.db'), '')
    place(at('old.db'), header('rollback'))
    await using log = await DiscoveryLog.open(root)
    expect(log.lines).toEqual(['found app.sqlite', 'found t/no-suffix'])
    expect(log.events.filter(({ type }) => type === 'warning')).toMatchObject([
      { code: 'not-wal-mode', path: at('old.db') },
    ])
    expect(log.discovery.hasEvents).toBe(true)
  })

  it('F1: a database that is made WAL later, and a file that becomes a database', async () => {
    place(at('old.db'), header('rollback'))
    place(at('empty.db'), '')
    await using log = await DiscoveryLog.open(root)
    writeFileSync(at('old.db'), header('wal'))
    await log.until('found old.db')
    writeFileSync(at('empty.db'), header('wal'))
    await log.until('found empty.db')
  })

  it('F11: a file that stays as it is is opened once, whatever it is', async () => {
    place(at('app.db'))
    place(at('notes'), 'no database')
    place(at('old.db'), header('rollback'))
    for (const name of ['app.db', 'notes', 'old.db']) fs.utimesSync(at(name), 1, 1)
    const { openSync } = fs
    const opened: string[] = []
    vi.spyOn(fs, 'openSync').mockImplementation((path, ...rest) => {
      opened.push(String(path))
      return openSync(path, ...rest)
    })
    syncBuiltinESMExports()
    await using log = await DiscoveryLog.open(root)
    for (let i = 0; i < 3; i++) await log.discovery.scan()
    expect(opened.sort()).toEqual([at('app.db'), at('notes'), at('old.db')])
    expect(log.warnings).toEqual(['not-wal-mode'])
  })

  it('F6: an attached database is found and not opened', async () => {
    place(at('app.db'))
    const openSync = vi.spyOn(fs, 'openSync')
    syncBuiltinESMExports()
    const attached = { isAttached: () => true, closeWhenDetached: () => undefined }
    await using log = await DiscoveryLog.open(root, { attached })
    expect(log.found).toEqual(['app.db'])
    writeFileSync(at('app.db-wal'), 'frames')
    await log.until('changed app.db wal')
    await log.discovery.scan()
    expect(openSync.mock.calls.filter(([path]) => path === at('app.db'))).toEqual([])
  })

  it('tries again to read what could not be opened', async () => {
    place(at('app.db'))
    fs.utimesSync(at('app.db'), 1, 1)
    const openSync = vi.spyOn(fs, 'openSync').mockImplementation(() => {
      throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    })
    syncBuiltinESMExports()
    await using log = await DiscoveryLog.open(root)
    expect([log.found, log.warnings]).toEqual([[], ['header-unreadable']])
    openSync.mockRestore()
    syncBuiltinESMExports()
    await log.discovery.scan()
    expect(log.found).toEqual(['app.db'])
  })

  it('F12: one file under several names once, and under another name when that one goes', async () => {
    place(at('b/app.db'))
    symlinkSync('b/app.db', at('a-link.db'))
    linkSync(at('b/app.db'), at('c.db'))
    await using log = await DiscoveryLog.open(root)
    expect(log.lines).toEqual(['found b/app.db'])
    expect(log.warnings).toEqual(['same-file', 'same-file'])
    rmSync(at('b/app.db'))
    await log.until('found c.db')
    await log.discovery.scan()
    expect(log.found).toEqual(['c.db'])
  })
})

describe('what becomes of it, told by events', () => {
  it('F2: written to, deleted, replaced, renamed', async () => {
    place(at('app.db'))
    await using log = await DiscoveryLog.open(root)
    appendFileSync(at('app.db-wal'), 'frame')
    await log.until('changed app.db wal')
    appendFileSync(at('app.db'), header())
    await log.until('changed app.db database')
    place(folder.join('new.db'), header('wal', 3))
    renameSync(folder.join('new.db'), at('app.db'))
    await log.until('replaced app.db')
    renameSync(at('app.db'), at('other.db'))
    await log.until('found other.db from app.db')
    rmSync(at('other.db'))
    await log.until('gone other.db')
    place(at('app.db'))
    await log.when(() => log.found.includes('app.db'))
  })

  it('F4: a database replaced by another kind of file is gone', async () => {
    place(at('app.db'))
    await using log = await DiscoveryLog.open(root)
    place(folder.join('other'), 'no database')
    renameSync(folder.join('other'), at('app.db'))
    await log.until('gone app.db')
    expect(log.found).toEqual([])
  })

  it('F3: in a folder that is made together with its databases, however deep', async () => {
    await using log = await DiscoveryLog.open(root)
    place(at('a/b/c/app.db'))
    await log.until('found a/b/c/app.db')
    place(at('a/b/other.db'))
    await log.until('found a/b/other.db')
    appendFileSync(at('a/b/c/app.db-wal'), 'frame')
    await log.until('changed a/b/c/app.db wal')
    expect(log.watches.size).toBe(4)
  })

  it('F4: a folder that is renamed, deleted, moved out and moved in', async () => {
    for (const name of ['t/a', 't/u/b']) place(at(name))
    await using log = await DiscoveryLog.open(root)
    renameSync(at('t'), at('v'))
    await log.until('found v/u/b from t/u/b')
    expect(log.found).toEqual(['v/a', 'v/u/b'])
    log.forget()
    appendFileSync(at('v/u/b-wal'), 'frame')
    await log.until('changed v/u/b wal')
    renameSync(at('v'), folder.join('outside'))
    await log.until('gone v/u/b')
    expect(log.found).toEqual([])
    await log.when(() => log.watches.size === 1)
    renameSync(folder.join('outside'), at('w'))
    await log.until('found w/u/b')
    rmSync(at('w'), { recursive: true })
    await log.when(() => log.found.length === 0)
  })

  it('F4: a root that is deleted and made again', async () => {
    place(at('app.db'))
    await using log = await DiscoveryLog.open(root)
    rmSync(root, { recursive: true })
    await log.until('gone app.db')
    await log.when(() => log.warnings.includes('root-missing'))
    log.forget()
    place(at('app.db'))
    await log.until('found app.db')
    await log.when(() => log.discovery.hasEvents)
    appendFileSync(at('app.db-wal'), 'frame')
    await log.until('changed app.db wal')
  })

  it('a root that comes later', async () => {
    await using log = await DiscoveryLog.open(at('later'))
    expect(log.warnings).toEqual(['root-missing'])
    place(at('later/app.db'))
    await log.until('found app.db')
  })

  it('a listener that throws harms nobody', async () => {
    place(at('app.db'))
    await using log = await DiscoveryLog.open(root)
    log.events.push = () => {
      throw new Error('bad listener')
    }
    place(at('b.db'))
    await log.discovery.scan()
    expect(log.found).toEqual(['app.db', 'b.db'])
  })
})

it('a database that an application makes is found, and each of its commits is told', async () => {
  await using log = await DiscoveryLog.open(root)
  const application = new Database(at('app.db'))
  try {
    application.exec('PRAGMA journal_mode=WAL; CREATE TABLE t(a)')
    await log.until('found app.db')
    for (let i = 0; i < 3; i++) {
      log.forget()
      application.exec('INSERT INTO t VALUES(1)')
      await log.until('changed app.db wal')
    }
  } finally {
    application.close()
  }
  expect(log.found).toEqual(['app.db'])
})

describe('without events', () => {
  it.each(['ENOSPC', 'EMFILE'])(
    'F9: with no watches left (%s) scans find everything, and it is told once',
    async (code) => {
      let left = 1
      const limited: WatchFolder = () => {
        if (left-- <= 0) throw Object.assign(new Error(code), { code })
        return { close: () => void left++ }
      }
      for (let i = 0; i < 5; i++) place(at(`t${i}/app.db`))
      await using log = await DiscoveryLog.open(root, {}, new FolderWatches(limited))
      expect(log.found.length).toBe(5)
      expect(log.warnings).toEqual(['watch-limit'])
      expect(log.discovery.hasEvents).toBe(false)
      place(at('t3/new.db'))
      await log.discovery.scan()
      expect(log.lines).toContain('found t3/new.db')
      expect(log.warnings).toEqual(['watch-limit'])
      left = 100
      await log.discovery.scan()
      expect(log.discovery.hasEvents).toBe(true)
    },
  )

  it('F9: on a network file system it says so and scans more often', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    await using log = await DiscoveryLog.open(
      root,
      { fileSystem: async () => 'NFS', scanIntervalMs: 30_000 },
      new FolderWatches(DEAF),
    )
    expect(log.warnings).toEqual(['network-file-system'])
    expect(log.discovery.hasEvents).toBe(false)
    place(at('app.db'))
    await vi.advanceTimersByTimeAsync(6000)
    await log.until('found app.db')
  })

  it('F5: what is in a folder that cannot be read any more stays as it was known', async () => {
    place(at('t/app.db'))
    await using log = await DiscoveryLog.open(root, {}, new FolderWatches(DEAF))
    const { readdir } = fs.promises
    const spy = vi.spyOn(fs.promises, 'readdir').mockImplementation((async (path: string, options: never) => {
      if (path === at('t')) throw Object.assign(new Error('not permitted'), { code: 'EACCES' })
      return readdir(path, options)
    }) as never)
    syncBuiltinESMExports()
    await log.discovery.scan()
    await log.discovery.scan()
    expect(log.warnings).toEqual(['folder-unreadable'])
    expect(log.found).toEqual(['t/app.db'])
    spy.mockRestore()
    syncBuiltinESMExports()
    rmSync(at('t/app.db'))
    await log.discovery.scan()
    expect(log.lines).toContain('gone t/app.db')
  })

  it('F8: a suspicion that events were lost brings a scan at once', async () => {
    let event: ((type: 'rename' | 'change', name: string) => void) | undefined
    const watch: WatchFolder = (_folder, onEvent) => {
      event = onEvent
      return { close: () => undefined }
    }
    place(at('noise'), 'no database')
    await using log = await DiscoveryLog.open(root, {}, new FolderWatches(watch))
    place(at('app.db'))
    for (let i = 0; i < 10_001; i++) event?.('change', 'noise')
    await log.until('found app.db')
  })

  it('a swap of folders that raises no event in them is noticed by the next scan', async () => {
    place(at('a/t/app.db'))
    place(folder.join('a/t/other.db'))
    await using log = await DiscoveryLog.open(root)
    renameSync(at('a'), folder.join('gone'))
    renameSync(folder.join('a'), at('a'))
    await log.discovery.scan()
    expect(log.found).toEqual(['a/t/other.db'])
    appendFileSync(at('a/t/other.db-wal'), 'frame')
    await log.until('changed a/t/other.db wal')
  })
})

describe('the end', () => {
  it('leaves no watch and no timer, and tells nothing more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    place(at('t/app.db'))
    const log = await DiscoveryLog.open(root)
    const told = log.events.length
    place(at('t/other.db'))
    await log.discovery.close()
    await log.discovery.close()
    expect(log.watches.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
    expect(log.events.length).toBe(told)
    await expect(log.discovery.scan()).rejects.toThrow('closed')
  })

  it('comes with the signal, in the middle of a scan too', async () => {
    for (let i = 0; i < 300; i++) place(at(`t${i}/app.db`))
    const abort = new AbortController()
    const watches = new FolderWatches((path) => {
      if (path.endsWith('t7')) abort.abort(new Error('enough'))
      return { close: () => undefined }
    })
    await expect(DiscoveryLog.open(root, { signal: abort.signal }, watches)).rejects.toThrow('enough')
    expect(watches.size).toBe(0)
    await expect(DiscoveryLog.open(root, { signal: abort.signal }, watches)).rejects.toThrow('enough')
  })

  it('patterns that make no sense are refused at the start', async () => {
    await expect(DiscoveryLog.open(root, { include: ['../x'] })).rejects.toThrow(TypeError)
  })
})

it('F7: 1,000 databases in 100 folders take 101 watches, and each one tells its own changes', async () => {
  for (let i = 0; i < 1000; i++) place(at(`t${i % 100}`, `${i}.db`))
  await using log = await DiscoveryLog.open(root)
  expect(log.found.length).toBe(1000)
  expect(log.watches.size).toBe(101)
  log.forget()
  const written = Array.from({ length: 50 }, (_, i) => i * 19)
  for (const i of written) appendFileSync(at(`t${i % 100}`, `${i}.db-wal`), 'frame')
  const expected = written.map((i) => `changed t${i % 100}/${i}.db wal`)
  await log.when(() => expected.every((line) => log.lines.includes(line)))
  expect(new Set(log.lines)).toEqual(new Set(expected))
  rmSync(at('t5'), { recursive: true })
  await log.when(() => log.found.length === 990 && log.watches.size === 100)
})
