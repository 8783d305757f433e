import fs, { linkSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { runProgram, TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { checkHeader } from '../../src/fleet/header-check.ts'
import { pathMatcher } from '../../src/fleet/match-path.ts'
import { type Candidate, scanFolder } from '../../src/fleet/scan-folder.ts'
import { DatabaseFiles, isAttached } from '../../src/sqlite/database-files.ts'
import { header } from './discovery-log.ts'

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('header')
})

afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  folder.remove()
})

async function candidate(name: string): Promise<Candidate> {
  const scan = await scanFolder(folder.path, { matcher: pathMatcher() })
  const found = scan.candidates.get(name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

/** Paths that are opened, and descriptors that are closed, while it runs. */
function watchCalls(): { opened: string[]; closed: number[] } {
  const calls = { opened: [] as string[], closed: [] as number[] }
  const { openSync, closeSync } = fs
  vi.spyOn(fs, 'openSync').mockImplementation((path, ...rest) => {
    calls.opened.push(String(path))
    return openSync(path, ...rest)
  })
  vi.spyOn(fs, 'closeSync').mockImplementation((fd) => {
    calls.closed.push(fd)
    closeSync(fd)
  })
  syncBuiltinESMExports()
  return calls
}

describe('what a file is', () => {
  it.each([
    ['wal', header('wal')],
    ['not-wal', header('rollback')],
    ['empty', new Uint8Array()],
    ['not-a-database', header().subarray(0, 99)],
    ['not-a-database', new Uint8Array(4096).fill(7)],
    ['not-a-database', header().with(16, 3)],
    ['not-wal', header().with(18, 3).with(19, 3)],
  ] as const)('F1: %s', async (kind, bytes) => {
    writeFileSync(folder.join('file'), bytes)
    expect(checkHeader(await candidate('file'))).toBe(kind)
  })

  it('F6: an attached database is not opened, under none of its names', async () => {
    writeFileSync(folder.join('app.db'), header())
    linkSync(folder.join('app.db'), folder.join('hard'))
    symlinkSync('app.db', folder.join('soft'))
    const files = DatabaseFiles.open(folder.join('app.db'))
    const calls = watchCalls()
    for (const name of ['app.db', 'hard', 'soft']) expect(checkHeader(await candidate(name))).toBe('wal')
    expect(calls.opened).toEqual([])
    files.close()
    expect(checkHeader(await candidate('hard'))).toBe('wal')
    expect(calls.opened).toEqual([folder.join('hard')])
  })

  it('F6: a descriptor that turns out to be of an attached database stays open until that is closed', async () => {
    writeFileSync(folder.join('app.db'), header())
    writeFileSync(folder.join('other'), header('rollback'))
    const other = await candidate('other')
    const files = DatabaseFiles.open(folder.join('app.db'))
    renameSync(folder.join('app.db'), folder.join('other'))
    const calls = watchCalls()
    expect(checkHeader(other)).toBe('wal')
    expect(calls.opened).toEqual([folder.join('other')])
    expect(calls.closed).toEqual([])
    files.close()
    expect(calls.closed.length).toBe(2)
    const { dev, ino } = statSync(folder.join('other'))
    expect(isAttached(dev, ino)).toBe(false)
  })

  it('does not wait for the other end of a pipe', async () => {
    writeFileSync(folder.join('file'), header())
    const file = await candidate('file')
    fs.rmSync(folder.join('file'))
    await runProgram('mkfifo', [folder.join('file')])
    expect(checkHeader(file)).toBe('not-a-database')
    fs.rmSync(folder.join('file'))
    expect(() => checkHeader(file)).toThrow('ENOENT')
    mkdirSync(folder.join('file'))
    expect(checkHeader(file)).toBe('not-a-database')
  })
})
