import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '@sqlstream/storage-file'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isReplicaError, planRestore, Replica, restore } from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { beforeDiskSteps } from './disk-steps.ts'
import { smallHistory, upload } from './model.ts'

const MODEL = smallHistory()
const IMAGE = MODEL.image(5)
const ALL = ['-wal', '-shm', '-journal']

let root: string
let store: string
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sqlstream-crash-'))
  store = join(root, 'store')
  await upload(MODEL, new FileStore(store))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Dies before step n of a restore; false when the restore ended before. */
type Die = (path: string, n: number, overwrite: boolean) => Promise<boolean>

/** A real process, really killed. */
async function dieByKill(path: string, n: number): Promise<boolean> {
  const script = join(import.meta.dirname, 'restore-and-die.ts')
  const args = ['--conditions=@sqlstream/source', script, store, path, `${n}`]
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr)
  return signal === 'SIGKILL'
}

/** From step n on nothing reaches the disk any more: the same for the folder as a kill, without a process each. */
async function dieByFreeze(path: string, n: number, overwrite: boolean): Promise<boolean> {
  let died = false
  const undo = beforeDiskSteps((step) => {
    if (step < n) return
    died = true
    throw new Error('frozen')
  })
  try {
    await restoreTo(path, overwrite)
  } catch (error) {
    if (!died) throw error
  } finally {
    undo()
  }
  return died
}

async function restoreTo(path: string, overwrite: boolean): Promise<void> {
  const replica = new Replica(new FileStore(store))
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  await restore(replica, plan, fileSink(path, { overwrite }))
}

async function dieAtEachStep(old: readonly string[], overwrite: boolean, die: Die): Promise<void> {
  const seen: string[] = []
  for (let n = 1; ; n++) {
    const folder = mkdtempSync(join(root, 'target-'))
    const path = join(folder, 'app.db')
    for (const suffix of old) writeFileSync(path + suffix, `old${suffix}`)

    const died = await die(path, n, overwrite)
    const state = stateOf(path, old)
    expect(state, `before step ${n}: ${readdirSync(folder)}`).toMatch(/^(before|absent|complete)$/)
    if (!died) break
    seen.push(state)

    // Once more, without a kill: complete, with nothing of the first try left.
    const again = await restoreTo(path, overwrite).catch((error: unknown) => error)
    if (again !== undefined) expect([state, isReplicaError(again, 'sink-exists')]).toEqual(['complete', true])
    expect(stateOf(path, old)).toBe('complete')
    expect(readdirSync(folder).filter((name) => name.includes('sqlstream-restore'))).toEqual([])
    rmSync(folder, { recursive: true })
  }
  expect(seen.length).toBeGreaterThan(15)
  expect([seen[0], seen.at(-1)]).toEqual([old.includes('') ? 'before' : 'absent', 'complete'])
}

/** `complete`: the restored file, without another database's sidecars. `before`: everything as it was. */
function stateOf(path: string, old: readonly string[]): string {
  const sidecars = ALL.filter((suffix) => existsSync(path + suffix))
  if (!existsSync(path)) return 'absent'
  const content = readFileSync(path)
  if (content.equals(IMAGE)) return sidecars.length === 0 ? 'complete' : `complete, but with ${sidecars}`
  if (content.toString() !== 'old') return 'torn'
  return sidecars.length === old.length - 1 ? 'before' : `old, but with only ${sidecars}`
}

test.each([
  { there: 'nothing', old: [], overwrite: false },
  { there: 'what a lost database left', old: ALL, overwrite: false },
  { there: 'a database', old: [''], overwrite: true },
  { there: 'a database with its sidecars', old: ['', ...ALL], overwrite: true },
])('F1, T39: stopped at each step over $there, the target is as before, absent, or complete', async (c) => {
  await dieAtEachStep(c.old, c.overwrite, dieByFreeze)
})

test('F1, T39: killed at each step over a database with its sidecars, the target is as before, absent, or complete', async () => {
  await dieAtEachStep(['', ...ALL], true, dieByKill)
})
