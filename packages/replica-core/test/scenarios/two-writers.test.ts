import { cpSync, readdirSync, rmSync } from 'node:fs'
import { formatTXID, type TXID, toTXID } from '@sqlstream/ltx'
import {
  assumeSoleWriter,
  headOf,
  InputList,
  planRestore,
  restorableTXIDs,
  restore,
} from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { collectBody } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { adoptRestored, type LeaseOptions, type Primary, showLease, stealLease } from '../../src/index.ts'
import { stateFolder } from '../../src/state/state-folder.ts'
import { type LateStore, lateStore } from './support/late-store.ts'
import { Scene } from './support/scene.ts'

const WORDS = "SELECT group_concat(v, ' ') FROM t"

function insert(scene: Scene, word: string): void {
  scene.app.run(`INSERT INTO t(v) VALUES('${word}')`)
}

async function durably(scene: Scene, primary: Primary, word: string): Promise<TXID> {
  insert(scene, word)
  return (await primary.durable()).txid
}

/** A second machine: the newest state restored there, with a replica of the first one's store. */
async function standby(first: Scene, store = first.store): Promise<Scene> {
  const second = await Scene.begin({ store })
  second.app.close()
  for (const name of readdirSync(second.folder.join('db')))
    rmSync(second.folder.join('db', name), { recursive: true })
  const catalog = await second.replica.catalog()
  const plan = planRestore(catalog, { kind: 'latest' })
  const result = await restore(second.replica, plan, fileSink(second.database))
  const databaseId = (await second.replica.identity())?.databaseId
  await adoptRestored(second.database, result, { head: headOf(catalog)!, databaseId })
  second.app.open(second.database)
  second.app.run('PRAGMA wal_autocheckpoint=0')
  return second
}

/** A writer whose puts can be under way, and who has the words "one two" in the replica. */
async function firstWriter(
  lease: LeaseOptions = {},
): Promise<{ scene: Scene; primary: Primary; store: LateStore }> {
  let store: LateStore | undefined
  const scene = await Scene.begin({ wrap: (inner) => (store = lateStore(inner)) })
  const primary = await scene.replicate({ syncIntervalMs: 60_000, lease })
  await durably(scene, primary, 'one')
  await durably(scene, primary, 'two')
  return { scene, primary, store: store! }
}

/** Every restore point of a replica gives a state, and the newest is this one. */
async function expectWhole(scene: Scene, newest: string): Promise<void> {
  for (const txid of restorableTXIDs(await scene.replica.catalog())) {
    await scene.restore('point.db', { kind: 'txid', txid })
  }
  expect(await scene.ask(WORDS)).toBe(newest)
}

const FENCED = expect.objectContaining({ name: 'PrimaryError', code: 'fenced', hint: expect.any(String) })

describe('T31: two writers', () => {
  it('of the same file: the second is refused by the lock of the first, and takes no lease', async () => {
    const { scene } = await firstWriter()
    await using _ = scene
    const before = await showLease(scene.store)
    await expect(scene.replicate()).rejects.toMatchObject({ code: 'locked' })
    expect(await showLease(scene.store)).toEqual(before)
  })

  it('of two copies: the second is refused as long as the first shows life, by name and time', async () => {
    const { scene, primary } = await firstWriter()
    await using _ = scene
    await using second = await standby(scene)
    const files = await scene.files()
    await expect(second.replicate({ lease: { wait: 'no' } })).rejects.toMatchObject({
      code: 'lease-held',
      message: expect.stringMatching(/held by .* pid \d+ until \d{4}-.*Z/),
    })
    expect(await scene.files()).toEqual(files)
    await durably(scene, primary, 'three')
    expect(primary.status.state).not.toBe('fenced')
  })

  it('of two copies: the second waits for the end of the first and goes on where that ended', async () => {
    const { scene, primary } = await firstWriter()
    await using _ = scene
    await using second = await standby(scene)
    const waiting = second.replicate({ lease: { wait: 'forever', ttlMs: 200 } })
    await second.event((event) => event.type === 'lease' && event.state === 'waiting')
    expect((await primary.close()).pendingFiles).toBe(0)
    const next = await waiting
    await durably(second, next, 'three')
    expect(second.seen('snapshot-started')).toEqual([])
    expect(second.seen('lease').at(-1)).toMatchObject({ state: 'acquired', epoch: 2n })
    await expectWhole(second, 'one two three')
    const headers = await Promise.all(
      (await scene.files()).map(async (file) => (await scene.read(file)).header),
    )
    expect(headers.map(({ nodeId }) => nodeId)).toEqual([...headers.slice(1).map(() => 1n), 2n])
  })

  it('E9, E11: of two histories: what the loser captured and did not upload is kept and named, and both stay restorable', async () => {
    const { scene, primary } = await firstWriter()
    await using _ = scene
    await using second = await standby(scene)
    await stealLease(scene.store)
    const next = await second.replicate()
    const txid = await durably(second, next, 'theirs')
    insert(scene, 'lost?')
    await expect(primary.durable()).rejects.toEqual(FENCED)
    const { pendingFiles } = await primary.close()
    expect(pendingFiles).toBe(1)
    await next.close()
    // It comes back, and as long as nobody decides, nothing changes.
    const files = await scene.files()
    await expect(scene.replicate({ onBehind: 'snapshot' })).rejects.toMatchObject({ code: 'diverged' })
    await expect(scene.replicate()).rejects.toMatchObject({
      code: 'diverged',
      hint: expect.stringContaining('--on-diverged'),
    })
    expect(await scene.files()).toEqual(files)
    expect(scene.seen('tail-kept')).toEqual([])
    // Its operator decides for its state.
    const again = await scene.replicate({ onDiverged: 'snapshot' })
    await durably(scene, again, 'ours')
    const [kept] = scene.seen('tail-kept')
    expect(kept).toMatchObject({ minTXID: txid, maxTXID: txid, files: 1 })
    expect(readdirSync(kept!.folder)).toEqual([`${formatTXID(txid)}-${formatTXID(txid)}.ltx`])
    expect(await scene.ask(WORDS, { kind: 'txid', txid })).toBe('one two theirs')
    await expectWhole(scene, 'one two lost? ours')
  })
})

/** Short enough to wait for; whoever waits does so until the protocol says that it is over. */
const SOON = { ttlMs: 300 }

describe('T32: a holder that was cut off or paused', () => {
  it('does not write its first file after another took over', async () => {
    const { scene, primary, store } = await firstWriter(SOON)
    await using _ = scene
    await using second = await standby(scene, store.inner)
    store.partition(true)
    const next = await second.replicate()
    await durably(second, next, 'three')
    const before = await second.files()
    store.partition(false)
    insert(scene, 'late')
    await expect(primary.durable()).rejects.toEqual(FENCED)
    expect(await second.files()).toEqual(before)
    await expectWhole(second, 'one two three')
  })

  it('whose file arrives where the next writer goes on: that one goes on above it, and no history is lost', async () => {
    const { scene, primary, store } = await firstWriter(SOON)
    await using _ = scene
    await using second = await standby(scene, store.inner)
    const held = store.hold()
    insert(scene, 'late')
    await primary.sync()
    await held
    store.partition(true)
    const next = await second.replicate({ syncIntervalMs: 60_000 })
    await store.arrive()
    const late = headOf(await second.replica.catalog())!
    expect(await second.ask(WORDS)).toBe('one two late')
    const txid = await durably(second, next, 'three')
    expect(txid).toBeGreaterThan(late + 65_000n)
    expect(second.seen('snapshot-started').at(-1)).toMatchObject({ reason: 'late-writer', txid })
    expect(second.seen('tail-kept')).toMatchObject([{ minTXID: late, maxTXID: late }])
    await durably(second, next, 'four')
    store.partition(false)
    await expect(primary.durable()).rejects.toEqual(FENCED)
    expect(await second.ask(WORDS, { kind: 'txid', txid: late })).toBe('one two late')
    await expectWhole(second, 'one two three four')
  })

  it('whose image arrives late: it was announced, so the next writer has begun above it', async () => {
    let store: LateStore | undefined
    await using scene = await Scene.begin({ wrap: (inner) => (store = lateStore(inner)) })
    insert(scene, 'mine')
    const held = store!.hold()
    const primary = await scene.replicate({ lease: SOON })
    await held
    store!.partition(true)
    await using other = await Scene.begin({ store: store!.inner })
    insert(other, 'other')
    const next = await other.replicate()
    expect((await next.durable()).txid).toBeGreaterThan(65_000n)
    await store!.arrive()
    store!.partition(false)
    await expect(primary.durable()).rejects.toEqual(FENCED)
    await durably(other, next, 'more')
    expect(await other.ask(WORDS, { kind: 'txid', txid: toTXID(1n) })).toBe('mine')
    await expectWhole(other, 'other more')
  })
})

describe('T63: a former writer comes back with more commits than the next one has made', () => {
  it.each([
    ['newest of its level 0', false],
    ['merged with it', true],
  ])('the next one’s head is %s: refused as diverged, as often as it tries (E11)', async (_what, merged) => {
    const { scene, second, head } = await twoHistories()
    await using _ = scene
    await using __ = second
    if (merged) await mergeCaptures(second)
    const before = await second.replica.catalog()
    for (let i = 0; i < 2; i++) {
      await expect(scene.replicate()).rejects.toMatchObject({ code: 'diverged' })
      expect(await second.replica.catalog()).toEqual(before)
      expect(readdirSync(stateFolder(scene.database).spool)).toHaveLength(4)
    }
    const again = await scene.replicate({ onDiverged: 'snapshot' })
    await durably(scene, again, 'decided')
    expect(scene.seen('tail-kept')).toMatchObject([{ files: 4 }])
    expect(await scene.ask(WORDS, { kind: 'txid', txid: head })).toBe('one two theirs newest')
    await expectWhole(scene, 'one two more and more again decided')
    // It is the writer now, and what it does to its own state is nobody else's.
    await again.close()
    rmSync(stateFolder(scene.database).spool, { recursive: true })
    const later = await scene.replicate()
    await durably(scene, later, 'later')
    await expectWhole(scene, 'one two more and more again decided later')
  })

  it('and has lost what it noted of its captures: refused all the same (E11)', async () => {
    const { scene, second, head } = await twoHistories()
    await using _ = scene
    await using __ = second
    const { ledger, journal } = stateFolder(scene.database)
    for (const path of [ledger, journal]) rmSync(path)
    const before = await second.replica.catalog()
    await expect(scene.replicate()).rejects.toMatchObject({ code: 'diverged' })
    expect(await second.replica.catalog()).toEqual(before)
    const again = await scene.replicate({ onDiverged: 'snapshot' })
    await durably(scene, again, 'decided')
    expect(await scene.ask(WORDS, { kind: 'txid', txid: head })).toBe('one two theirs newest')
    await expectWhole(scene, 'one two more and more again decided')
  })

  /** The next writer has written two more transactions and is gone; the first one has captured four that nobody has. */
  async function twoHistories(): Promise<{
    readonly scene: Scene
    readonly second: Scene
    readonly head: TXID
  }> {
    const { scene, primary } = await firstWriter()
    const second = await standby(scene)
    await stealLease(scene.store)
    const next = await second.replicate()
    await durably(second, next, 'theirs')
    const head = await durably(second, next, 'newest')
    await next.close()
    for (const word of ['more', 'and', 'more', 'again']) {
      insert(scene, word)
      await primary.sync()
    }
    await expect(primary.durable()).rejects.toEqual(FENCED)
    const { pendingFiles, captured } = await primary.close()
    expect(captured!.txid).toBeGreaterThan(head)
    expect(pendingFiles).toBe(4)
    return { scene, second, head }
  }

  /** One file of level 1 in the place of all captures, as retention leaves it after an hour. */
  async function mergeCaptures(scene: Scene): Promise<void> {
    const captures = await scene.files()
    const inputs = new InputList()
    for (const file of captures) inputs.addStream(scene.replica.open(file))
    const body = await collectBody({ open: () => inputs.merge({}) })
    const writer = scene.replica.writer(assumeSoleWriter('the test'))
    const range = { minTXID: captures[0]!.minTXID, maxTXID: captures.at(-1)!.maxTXID }
    await writer.put(1, range, body, { timestamp: new Date() })
    await scene.store.delete(captures.map(({ key }) => key))
  }
})

describe('T71: a writer was alone, another one was promoted, the first returns', () => {
  it('it is refused by default, and its tail stays where it was', async () => {
    const { scene, primary, store } = await firstWriter()
    await using _ = scene
    const held = store.hold()
    insert(scene, 'alone')
    await primary.sync()
    await held
    expect((await primary.close({ signal: AbortSignal.abort() })).pendingFiles).toBe(1)
    await using second = await standby(scene, store.inner)
    const promoted = await second.replicate()
    await durably(second, promoted, 'promoted')
    const head = await durably(second, promoted, 'newest')
    await promoted.close()
    const { spool } = stateFolder(scene.database)
    const tail = readdirSync(spool)
    expect(tail).toHaveLength(1)
    await expect(scene.replicate()).rejects.toMatchObject({
      code: 'behind',
      hint: expect.stringContaining('--on-behind'),
    })
    expect(readdirSync(spool)).toEqual(tail)
    expect(headOf(await second.replica.catalog())).toBe(head)
    expect(await second.ask(WORDS)).toBe('one two promoted newest')
    // What was alone arrives at last, below the new history.
    await store.arrive()
    await expectWhole(second, 'one two promoted newest')
  })

  it('restoring over its database keeps the tail aside', async () => {
    const { scene, primary, store } = await firstWriter()
    await using _ = scene
    const held = store.hold()
    insert(scene, 'alone')
    await primary.sync()
    await held
    await primary.close({ signal: AbortSignal.abort() })
    scene.app.close()
    cpSync(scene.database, `${scene.database}.copy`)
    const catalog = await scene.replica.catalog()
    const plan = planRestore(catalog, { kind: 'latest' })
    const result = await restore(scene.replica, plan, fileSink(scene.database, { overwrite: true }))
    const kept = await adoptRestored(scene.database, result, { head: headOf(catalog)! })
    expect(kept).toMatchObject({ files: 1, minTXID: headOf(catalog)! + 1n })
    expect(readdirSync(kept!.folder)).toHaveLength(1)
    await store.arrive()
    scene.app.open(scene.database)
  })
})
