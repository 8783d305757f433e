import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@sqlstream/storage'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type PageSink, planRestore, Replica, type RestoreResult, restore } from '../src/index.ts'
import { type FileSinkOptions, fileSink } from '../src/node/index.ts'
import { countRequests, type Request } from './counting-store.ts'
import { Model, noisePage, pageOf, put } from './model.ts'

const PAGE_SIZE = 4096
const PAGES = 3000
const TEMP = '.app.db.sqlstream-restore'
const LATEST = { kind: 'latest' } as const

let root: string
let path: string
let model: Model
let replica: Replica
let requests: Request[]

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sqlstream-resume-'))
  model = new Model(PAGE_SIZE)
  const store = countRequests(new MemoryStore())
  requests = store.requests
  replica = new Replica(store.store)
  const pages = new Map(Array.from({ length: PAGES }, (_, i) => [i + 1, noisePage(PAGE_SIZE, i)]))
  pages.set(1, databaseHeader())
  model.commit(PAGES, pages)
  model.commit(PAGES, new Map([[7, noisePage(PAGE_SIZE, 1007)]]))
  model.commit(PAGES - 5, new Map([[9, noisePage(PAGE_SIZE, 1009)]]))
  for (let txid = 1; txid <= 3; txid++)
    await put(replica, txid === 1 ? 9 : 0, txid, txid, model.file(txid, txid))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(() => {
  path = join(mkdtempSync(join(root, 'target-')), 'app.db')
  requests.length = 0
})

function databaseHeader(): Uint8Array {
  const page = pageOf(PAGE_SIZE, 1).slice()
  page[16] = PAGE_SIZE >> 8
  page[17] = PAGE_SIZE & 255
  return page
}

async function planAt(txid: number) {
  const catalog = await replica.catalog()
  const all = [...catalog.levels.values()].flat().filter((file) => file.maxTXID <= BigInt(txid))
  return planRestore({ levels: new Map([[0, all]]) }, LATEST)
}

async function run(txid: number, options: FileSinkOptions = {}): Promise<RestoreResult> {
  const plan = await planAt(txid)
  requests.length = 0
  const result = await restore(replica, plan, fileSink(path, options))
  expect(Buffer.compare(readFileSync(path), model.image(txid))).toBe(0)
  // Nothing is left beside it.
  expect(readdirSync(join(path, '..'))).toEqual(['app.db'])
  return result
}

function bytesRead(): number {
  return requests.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** A restore whose process dies after so many pages, with what it had noted. */
async function die(txid: number, pages: number): Promise<void> {
  const sink = fileSink(path, { saveAfterBytes: 1 << 20 })
  let written = 0
  let saved = Promise.resolve()
  const dying: PageSink = {
    ...sink,
    async write(batch) {
      if (written >= pages) throw new Error('dead')
      written += batch.count
      await sink.write(batch)
    },
    async save(...args) {
      await sink.save?.(...args)
      // What is noted beside the restore is noted now.
      saved = noted()
      await saved
    },
    abort: async () => {},
  }
  await expect(restore(replica, await planAt(txid), dying)).rejects.toThrow('dead')
  await saved
  expect(existsSync(join(path, '..', TEMP))).toBe(true)
}

async function noted(): Promise<void> {
  const before = inode()
  while (inode() === before) await new Promise(setImmediate)
}

/** Of the note: each one is another file. Times would not do, they move on with the clock's tick. */
function inode(): number | undefined {
  return statSync(join(path, '..', `${TEMP}-journal`), { throwIfNoEntry: false })?.ino
}

describe('R9: a restore after one that died', () => {
  test('goes on with the pages that were noted', async () => {
    await die(3, 1500)
    const { pagesKept } = await run(3)
    expect(pagesKept).toBeGreaterThanOrEqual(1000)
    expect(bytesRead()).toBeLessThan((PAGES - pagesKept + 300) * PAGE_SIZE)
  })

  test('to a later state reads what has changed, and the rest', async () => {
    await die(2, 1500)
    const { pagesKept } = await run(3)
    expect(pagesKept).toBeGreaterThanOrEqual(1000)
  })

  test('to an earlier state reads everything', async () => {
    await die(3, 1500)
    expect((await run(2)).pagesKept).toBe(0)
  })

  test('whose pages a power cut has taken reads everything, once the proof fails', async () => {
    await die(3, 1500)
    const temp = join(path, '..', TEMP)
    const bytes = readFileSync(temp)
    bytes.fill(0, 40 * PAGE_SIZE, 41 * PAGE_SIZE)
    bytes.fill(0, 2990 * PAGE_SIZE)
    // In place: another file would have another inode.
    writeFileSync(temp, bytes)
    const result = await run(3)
    expect(result).toMatchObject({ proven: true, pagesKept: 0 })
  })

  test.each([
    ['is damaged', (journal: string) => writeFileSync(journal, '{"version":1')],
    ['is of another version', (journal: string) => writeFileSync(journal, '{"version":2}')],
    [
      'is of another file',
      (journal: string) =>
        writeFileSync(journal, readFileSync(journal, 'utf8').replace(/"inode":"\d+"/, '"inode":"1"')),
    ],
    ['is missing', (journal: string) => rmSync(journal)],
  ])('whose note %s begins anew', async (_, change) => {
    await die(3, 1500)
    change(join(path, '..', `${TEMP}-journal`))
    expect((await run(3)).pagesKept).toBe(0)
  })
})

describe('R9: with delta, onto an older copy', () => {
  test('what has changed since is read', async () => {
    await run(1)
    const { pagesKept, proven } = await run(3, { delta: true })
    expect(proven).toBe(true)
    expect(pagesKept).toBe(PAGES - 7)
    expect(bytesRead()).toBeLessThan(40 * PAGE_SIZE)
  })

  test('one that is the state already costs no page', async () => {
    await run(3)
    const { pagesKept } = await run(3, { delta: true })
    expect(pagesKept).toBe(PAGES - 5)
    expect(bytesRead()).toBeLessThan(4 * PAGE_SIZE)
  })

  test.each([
    ['that was written to', (bytes: Buffer) => Object.assign(bytes, { [70_000]: bytes[70_000]! ^ 1 })],
    ['that is no database', (bytes: Buffer) => bytes.fill(0, 0, 100)],
    ['that is cut', (bytes: Buffer) => bytes.subarray(0, 5000)],
    ['that is empty', () => Buffer.alloc(0)],
  ])('one %s is replaced as a whole', async (_, change) => {
    await run(2)
    writeFileSync(path, change(readFileSync(path)))
    expect((await run(3, { delta: true })).pagesKept).toBe(0)
  })

  test('where there is none, everything is read', async () => {
    expect((await run(3, { delta: true })).pagesKept).toBe(0)
  })
})
