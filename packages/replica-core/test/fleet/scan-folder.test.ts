import fs, { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type PathPatterns, pathMatcher } from '../../src/fleet/match-path.ts'
import { type Scan, type ScanOptions, scanFolder } from '../../src/fleet/scan-folder.ts'
import { place } from './discovery-log.ts'

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('scan')
})

afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  folder.remove()
})

function scan(options: Partial<ScanOptions> & PathPatterns = {}): Promise<Scan> {
  return scanFolder(folder.path, { matcher: pathMatcher(options), ...options })
}

function found(result: Scan): string[] {
  return [...result.candidates.keys()].sort()
}

describe.each([false, true])('a scan (slow: %s)', (slow) => {
  it('finds files in all folders, with their WAL files, and not what belongs to them', async () => {
    for (const name of [
      'a.db',
      'a.db-wal',
      'a.db-shm',
      't/b.db',
      't/u/c',
      '.git/d',
      't/.b.db-sqlstream/lock',
    ]) {
      place(folder.join(name), name)
    }
    const result = await scan({ slow })
    expect(found(result)).toEqual(['a.db', 't/b.db', 't/u/c'])
    expect([...result.folders.keys()].sort()).toEqual(['', 't', 't/u'])
    expect(result.problems).toEqual([])
    const { path, size, wal, link } = result.candidates.get('a.db') ?? {}
    expect({ path, size, link, wal: wal?.size }).toEqual({
      path: folder.join('a.db'),
      size: 4,
      link: false,
      wal: 8,
    })
    expect(result.candidates.get('t/b.db')?.wal).toBeUndefined()
    expect(found(await scan({ slow, recursive: false }))).toEqual(['a.db'])
  })

  it('F12: follows links to files, to their WAL too, and no links to folders', async () => {
    place(folder.join('real/a.db'), 'database')
    place(folder.join('real/a.db-wal'), 'wal')
    mkdirSync(folder.join('in'))
    symlinkSync('../real/a.db', folder.join('in/link.db'))
    symlinkSync('../real', folder.join('in/folder'))
    symlinkSync('nowhere', folder.join('in/broken'))
    symlinkSync('self', folder.join('in/self'))
    const result = await scan({ slow })
    expect(found(result)).toEqual(['in/link.db', 'real/a.db'])
    const link = result.candidates.get('in/link.db')
    expect(link).toMatchObject({ link: true, size: 8, ino: result.candidates.get('real/a.db')?.ino })
    expect(link?.wal?.size).toBe(3)
    expect(result.problems).toEqual([])
    expect(found(await scan({ slow, from: ['in/folder', 'in/link.db'] }))).toEqual(['in/link.db'])
  })

  it('looks at parts of the tree only, also at those that do not exist', async () => {
    for (const name of ['a', 't/b', 't/u/c', 'v/d']) place(folder.join(name))
    expect(found(await scan({ slow, from: ['a', 't', 'gone', 'gone/too', 'a/b'] }))).toEqual([
      'a',
      't/b',
      't/u/c',
    ])
    expect(found(await scan({ slow, from: ['t'], recursive: false }))).toEqual([])
    expect(found(await scan({ slow, from: ['a'], exclude: ['a'] }))).toEqual([])
  })

  it('F5: reports a folder that cannot be read and goes on', async () => {
    for (const name of ['a', 'secret/b', 'u/c']) place(folder.join(name))
    // Tests may run as root, whom no permission stops.
    const { readdir } = fs.promises
    vi.spyOn(fs.promises, 'readdir').mockImplementation((async (path: string, options: never) => {
      if (path === folder.join('secret')) throw Object.assign(new Error('no'), { code: 'EACCES' })
      return readdir(path, options)
    }) as never)
    syncBuiltinESMExports()
    const result = await scan({ slow })
    expect(found(result)).toEqual(['a', 'u/c'])
    expect(result.problems.map(({ relpath, error }) => [relpath, error.code])).toEqual([['secret', 'EACCES']])
  })

  it('takes a missing root for an empty one', async () => {
    const result = await scanFolder(folder.join('missing'), { matcher: pathMatcher(), slow })
    expect([result.candidates.size, result.folders.size, result.problems.length]).toEqual([0, 0, 0])
  })

  it('F3: tells of a folder before it reads the names in it', async () => {
    place(folder.join('t/a'))
    const result = await scan({
      slow,
      onFolder: ({ path }) => writeFileSync(`${path}/made-just-then`, ''),
    })
    expect(found(result)).toEqual(['made-just-then', 't/a', 't/made-just-then'])
  })

  it('what vanishes meanwhile is left out', async () => {
    for (const name of ['t/a', 'u/b']) place(folder.join(name))
    const result = await scan({
      slow,
      onFolder: ({ relpath }) => {
        if (relpath === 't') rmSync(folder.join('t'), { recursive: true })
      },
    })
    expect(found(result)).toEqual(['u/b'])
    expect(result.problems).toEqual([])
  })

  it('ends with its signal', async () => {
    for (let i = 0; i < 100; i++) place(folder.join(`t${i}/a`))
    const abort = new AbortController()
    const onFolder = () => abort.abort(new Error('enough'))
    await expect(scan({ slow, signal: abort.signal, onFolder })).rejects.toThrow('enough')
  })
})

it('F2: a file that was just written may be written again without another time', async () => {
  place(folder.join('new'))
  place(folder.join('old'))
  fs.utimesSync(folder.join('old'), 1, 1)
  place(folder.join('other'))
  fs.utimesSync(folder.join('other'), 1, 1)
  place(folder.join('other-wal'))
  const written = 1_700_000_000.125
  for (const name of ['new', 'other-wal']) fs.utimesSync(folder.join(name), written, written)
  vi.spyOn(Date, 'now').mockReturnValue(written * 1000 + 5)
  const { candidates } = await scan()
  expect([...candidates.values()].map(({ relpath, settled }) => [relpath, settled]).sort()).toEqual([
    ['new', false],
    ['old', true],
    ['other', false],
  ])
})
