import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import {
  createStateFolder,
  isLocked,
  lockOwner,
  stateFolder,
  takeLocalLock,
} from '../../src/state/state-folder.ts'

/** A process that takes the lock of a database and keeps it. */
async function lockingProcess(database: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('../support/lock-main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@sqlstream/source', script, database], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [answer] = (await once(child, 'message')) as [string]
  expect(answer).toBe('locked')
  return child
}

async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  const exit = once(child, 'exit')
  if (signal === undefined) child.disconnect()
  else child.kill(signal)
  await exit
}

describe('the state folder', () => {
  it('lies beside the database, hidden, or where it was asked for', () => {
    expect(stateFolder('/data/app.db').path).toBe('/data/.app.db-sqlstream')
    expect(stateFolder('/data/app.db', '/var/state').path).toBe('/var/state')
    expect(stateFolder('/data/app.db', '/var/state').ledger).toBe('/var/state/ledger')
  })

  it('is created with its spool, and again without harm', () => {
    using folder = new TempFolder('folder')
    const state = stateFolder(folder.join('app.db'), folder.join('a', 'b'))
    createStateFolder(state)
    writeFileSync(state.identity, '{}')
    createStateFolder(state)
    expect(existsSync(state.spool)).toBe(true)
    expect(existsSync(state.identity)).toBe(true)
  })
})

describe('the local lock', () => {
  it('L4: excludes a second replicator in the same process, and names the first', () => {
    using folder = new TempFolder('lock')
    const state = stateFolder(folder.join('app.db'))
    createStateFolder(state)
    expect(isLocked(state)).toBe(false)
    const lock = takeLocalLock(state)
    expect(isLocked(state)).toBe(true)
    expect(() => takeLocalLock(state)).toThrow(
      expect.objectContaining({ code: 'locked', message: expect.stringContaining(`pid ${process.pid}`) }),
    )
    // Looking, and failing to take it, do not let it go.
    expect(isLocked(state)).toBe(true)
    lock.release()
    lock.release()
    expect(isLocked(state)).toBe(false)
    takeLocalLock(state).release()
  })

  it.each(['SIGKILL', undefined] as const)(
    'L4: excludes another process until that ends (%s), and needs no clean-up',
    async (signal) => {
      using folder = new TempFolder('lock')
      const database = folder.join('app.db')
      const state = stateFolder(database)
      createStateFolder(state)
      const child = await lockingProcess(database)
      expect(isLocked(state)).toBe(true)
      expect(lockOwner(state)).toBe(`pid ${child.pid}`)
      expect(() => takeLocalLock(state)).toThrow(
        expect.objectContaining({ code: 'locked', hint: expect.any(String) }),
      )
      await ended(child, signal)
      expect(isLocked(state)).toBe(false)
      takeLocalLock(state).release()
    },
  )

  it('L4: another process cannot take it while this one has it', async () => {
    using folder = new TempFolder('lock')
    const database = folder.join('app.db')
    createStateFolder(stateFolder(database))
    const lock = takeLocalLock(stateFolder(database))
    await expect(lockingProcess(database)).rejects.toThrow()
    lock.release()
  })

  it('says so when the lock cannot be a file', () => {
    using folder = new TempFolder('lock')
    const state = stateFolder(folder.join('app.db'))
    createStateFolder(state)
    mkdirSync(state.lock)
    expect(() => takeLocalLock(state)).toThrow(expect.objectContaining({ code: 'state-folder' }))
    expect(lockOwner(state)).toBe('owner unknown')
  })
})
