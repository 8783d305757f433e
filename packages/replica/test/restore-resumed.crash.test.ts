import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PageSink, planRestore, type Replica, type RestoreResult, restore } from '../src/index.ts'
import { type FileSinkOptions, fileSink } from '../src/node/index.ts'
import { beforeDiskSteps } from './disk-steps.ts'
import { Model, pageOf, upload } from './model.ts'

const PAGE_SIZE = 16384
const PAGES = 260
const NOTED: FileSinkOptions = { saveAfterBytes: 1 << 20 }

let root: string
let model: Model
let replica: Replica

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sqlstream-resume-crash-'))
  model = new Model(PAGE_SIZE)
  const first = pageOf(PAGE_SIZE, 1)
  // What tells a copy's page size.
  first.set([PAGE_SIZE >> 8, PAGE_SIZE & 255], 16)
  const rest = Array.from({ length: PAGES - 1 }, (_, i) => [i + 2, pageOf(PAGE_SIZE, i + 2)] as const)
  model.commit(PAGES, new Map([[1, first], ...rest]))
  model.commit(PAGES - 10, new Map([30, 31, 90, 200].map((pgno) => [pgno, pageOf(PAGE_SIZE, 1000 + pgno)])))
  replica = await upload(model, new MemoryStore())
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function restoreTo(path: string, options: FileSinkOptions): Promise<RestoreResult> {
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  const sink = fileSink(path, options)
  const unhurried: PageSink = {
    ...sink,
    async save(...args) {
      await sink.save?.(...args)
      // Notes are written beside the restore, which is over too soon here.
      await sleep(5)
    },
  }
  return await restore(replica, plan, unhurried)
}

/** From step n on nothing reaches the disk any more. The result, when the restore ended before. */
async function dieAt(n: number, path: string, options: FileSinkOptions): Promise<RestoreResult | undefined> {
  let died = false
  const undo = beforeDiskSteps((step) => {
    if (step < n) return
    died = true
    throw new Error('frozen')
  })
  try {
    return await restoreTo(path, options)
  } catch (error) {
    if (!died) throw error
    return undefined
  } finally {
    undo()
  }
}

function stateOf(path: string, old: Uint8Array | undefined): 'old' | 'absent' | 'complete' | 'torn' {
  if (!existsSync(path)) return 'absent'
  const content = readFileSync(path)
  if (content.equals(model.image(2))) return 'complete'
  return old && content.equals(old) ? 'old' : 'torn'
}

test.each([
  { name: 'that notes what it has written', hasOld: false, options: NOTED, allowed: ['absent'] },
  { name: 'onto an older copy', hasOld: true, options: { delta: true }, allowed: ['old'] },
  {
    name: 'onto an older copy, with notes',
    hasOld: true,
    options: { ...NOTED, delta: true },
    allowed: ['old'],
  },
])('R9, F1, T39: a restore $name may die at any step, and the next one at the same', async (c) => {
  const old = c.hasOld ? model.image(1) : undefined
  let deaths = 0
  let kept = 0
  for (let n = 1; ; n++) {
    const folder = mkdtempSync(join(root, 'target-'))
    const path = join(folder, 'app.db')
    if (old) writeFileSync(path, old)
    const first = await dieAt(n, path, c.options)
    expect([...c.allowed, 'complete'], `step ${n}`).toContain(stateOf(path, old))
    if (first) {
      rmSync(folder, { recursive: true })
      break
    }
    deaths++
    // What the first left is there for the second, which may die while it reads, renews or removes it.
    const second = await dieAt(n, path, { ...c.options, overwrite: true })
    expect([...c.allowed, 'complete'], `step ${n}, again`).toContain(stateOf(path, old))
    const third = await restoreTo(path, { ...c.options, overwrite: true })
    expect([third.proven, stateOf(path, old)]).toEqual([true, 'complete'])
    expect(readdirSync(folder)).toEqual(['app.db'])
    if ([second, third].some((result) => result && result.pagesKept > 0)) kept++
    rmSync(folder, { recursive: true })
  }
  expect(deaths).toBeGreaterThan(10)
  // Some of them had something to go on with.
  expect(kept).toBeGreaterThan(4)
})

/** A real process, really killed before its n-th step on disk; false when the restore ended before. */
function killAt(store: string, path: string, n: number, options: FileSinkOptions): boolean {
  const script = join(import.meta.dirname, 'restore-and-die.ts')
  const args = ['--conditions=@sqlstream/source', script, store, path, `${n}`, JSON.stringify(options)]
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr)
  return signal === 'SIGKILL'
}

test.each([
  { name: 'that notes what it has written', hasOld: false, options: { ...NOTED, overwrite: true } },
  { name: 'onto an older copy, with notes', hasOld: true, options: { ...NOTED, delta: true } },
])(
  'R9, F1, T39: a restore $name is killed at any step, and so is the one that goes on; the next is exact',
  {
    timeout: 300_000,
  },
  async (c) => {
    const store = mkdtempSync(join(root, 'store-'))
    await upload(model, new FileStore(store))
    const old = c.hasOld ? model.image(1) : undefined
    let deaths = 0
    // Every fourth step, since each is a process or three: the test above goes through all of them.
    for (let n = 1; ; n += 4) {
      const folder = mkdtempSync(join(root, 'target-'))
      const path = join(folder, 'app.db')
      if (old) writeFileSync(path, old)
      if (!killAt(store, path, n, c.options)) break
      deaths++
      expect(stateOf(path, old)).not.toBe('torn')
      killAt(store, path, n, c.options)
      expect(stateOf(path, old)).not.toBe('torn')
      expect(killAt(store, path, Number.MAX_SAFE_INTEGER, c.options)).toBe(false)
      expect([stateOf(path, old), readdirSync(folder)]).toEqual(['complete', ['app.db']])
      rmSync(folder, { recursive: true })
    }
    expect(deaths).toBeGreaterThan(3)
  },
)
