import { readFileSync } from 'node:fs'
import { formatTXID, toTXID } from '@sqlstream/ltx'
import {
  assumeSoleWriter,
  createRetentionPolicy,
  makeSnapshot,
  pin,
  planRestore,
  type RestoreTarget,
  restorableTXIDs,
  restore,
  retain,
} from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { peerOrReason, Random } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { openFollower, type RollBackResult, rollBack } from '../src/index.ts'
import { comparable, History } from './support/history.ts'

/** A history of so many steps that grows, shrinks and changes its schema. */
async function randomHistory(seed: number, steps: number): Promise<History> {
  const random = new Random(seed)
  const history = new History({ pageSize: random.pick([512, 1024, 4096]) as 512 })
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  for (let i = 2; i <= steps; i++) {
    const sql = random.pick([
      `INSERT INTO t(v) SELECT randomblob(${random.integer(1, 4000)}) FROM (VALUES (1),(2),(3),(4))`,
      `UPDATE t SET v = randomblob(200) WHERE id % ${random.integer(2, 5)} = 0`,
      `DELETE FROM t WHERE id % 3 <> 0; VACUUM`,
      `CREATE TABLE u${i} AS SELECT * FROM t`,
    ])
    await history.step(sql)
  }
  return history
}

async function imageAt(history: History, target: RestoreTarget): Promise<Buffer> {
  const path = history.path('asked.db')
  const plan = planRestore(await history.replica.catalog(), target)
  const { proven } = await restore(history.replica, plan, fileSink(path, { overwrite: true }))
  expect(proven).toBe(true)
  return readFileSync(path)
}

function withCookie(image: Buffer, cookie: number): Buffer {
  const copy = Buffer.from(image)
  copy.writeUInt32BE(cookie, 40)
  return copy
}

/** The newest state, which is a past one but for the schema cookie: that never goes back. */
async function newestOf(history: History, states: readonly Buffer[], txid: number): Promise<Buffer> {
  const image = await imageAt(history, { kind: 'latest' })
  const cookie = (state: Buffer): number => state.readUInt32BE(40)
  if (cookie(states[txid]!) !== cookie(states.at(-1)!))
    expect(cookie(image)).toBeGreaterThan(Math.max(...states.slice(1).map(cookie)))
  expect(image.equals(withCookie(states[txid]!, cookie(image)))).toBe(true)
  return image
}

async function back(history: History, txid: number): Promise<RollBackResult> {
  const catalog = await history.replica.catalog()
  const writer = history.replica.writer(assumeSoleWriter('test'))
  return await rollBack(
    history.replica,
    writer,
    planRestore(catalog, { kind: 'latest' }),
    planRestore(catalog, { kind: 'txid', txid: toTXID(BigInt(txid)) }),
    { spillPath: history.path('spill') },
  )
}

test.each([1, 2, 3, 4])(
  'F14: the past becomes the newest state, and every state before and after stays restorable (seed %i)',
  async (seed) => {
    using history = await randomHistory(seed, 9)
    const states = [...history.images]
    await using follower = await openFollower({
      replica: history.replica,
      file: history.path('copy.db'),
      poll: false,
    })
    // Back, further back, the first undone, and one that is the newest already.
    for (const txid of [6, 2, 9, 9, 1]) {
      const before = states.length - 1
      const isSame = withCookie(states[txid]!, 0).equals(withCookie(states[before]!, 0))
      const { from, to, file, pages } = await back(history, txid)
      expect([from.txid, to.txid]).toEqual([BigInt(before), BigInt(txid)])
      expect(file === undefined).toBe(isSame)
      expect(pages === 0).toBe(isSame)
      if (!isSame) states.push(await newestOf(history, states, txid))
      await follower.catchUp()
      const now = states.at(-1)!
      expect(comparable(history.path('copy.db'), now).equals(now)).toBe(true)
    }
    for (const [txid, image] of states.entries()) {
      if (txid === 0) continue
      const restored = await imageAt(history, { kind: 'txid', txid: toTXID(BigInt(txid)) })
      expect(restored.equals(image), `TXID ${txid}`).toBe(true)
    }
  },
)

test('only what differs is written, and a try writes nothing', async () => {
  using history = new History()
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  await history.step(
    'INSERT INTO t(v) SELECT randomblob(3000) FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9))',
  )
  await history.step('UPDATE t SET v = randomblob(3000) WHERE id = 5')
  const catalog = await history.replica.catalog()
  const head = planRestore(catalog, { kind: 'latest' })
  const past = planRestore(catalog, { kind: 'txid', txid: toTXID(2n) })
  const tried = await rollBack(history.replica, undefined, head, past, { spillPath: history.path('spill') })
  expect(tried).toMatchObject({ pages: 1, file: undefined })
  expect((await history.replica.catalog()).levels.get(0)?.length).toBe(2)
  const { pages, file } = await back(history, 2)
  expect(pages).toBe(1)
  expect(file).toMatchObject({ level: 0, minTXID: 4n, maxTXID: 4n })
})

test('F15: a reader that slept through a return to the past and another schema sees the new one', async () => {
  using history = new History()
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES (1)')
  await history.step('CREATE TABLE gone(a)')
  const file = history.path('copy.db')
  await using follower = await openFollower({ replica: history.replica, file, poll: false })
  const reader = new Database(file, { readonly: true })
  const all = reader.prepare('SELECT * FROM t')
  expect(all.raw().get()).toEqual([1, 1])
  // The schema cookie of what comes now is that of what the reader knows.
  const other = new History({ store: history.store })
  other.db.exec('CREATE TABLE t(v, w, id); INSERT INTO t VALUES (7, 8, 9); CREATE TABLE x(a)')
  other.record()
  const cookie = (image: Buffer): number => image.readUInt32BE(40)
  expect(cookie(other.images[1]!)).toBe(cookie(history.images[2]!))
  await other.put(1, { from: 0, as: 3 })
  await follower.catchUp()
  expect(follower.status.pos.txid).toBe(3n)
  expect(reader.prepare('SELECT * FROM t').raw().get()).toEqual([7, 8, 9])
  expect(all.raw().get()).toEqual([7, 8, 9])
  reader.close()
  other[Symbol.dispose]()
})

test('F14: what leads back stays restorable through merges and removals for as long as it is pinned', async () => {
  using history = await randomHistory(6, 6)
  const states = [...history.images]
  const writer = history.replica.writer(assumeSoleWriter('test'))
  await pin(history.store, {
    id: 'undo',
    txid: toTXID(6n),
    reason: 'test',
    expires: new Date(Date.now() + 60_000),
  })
  await back(history, 2)
  const newest = await newestOf(history, states, 2)
  await history.merge(1, 2, 6)
  await makeSnapshot(history.replica, writer, await history.replica.catalog())
  const policy = createRetentionPolicy({
    keep: [{ every: 30_000, for: 60_000 }],
    grace: 1000,
    minSnapshots: 1,
  })
  for (let run = 0; run < 2; run++) {
    await retain(history.replica, writer.lease, policy, { now: new Date(Date.now() + run * 2000) })
  }
  const left = restorableTXIDs(await history.replica.catalog())
  expect(left).not.toContain(3n)
  expect(left).toEqual(expect.arrayContaining([6n, 7n]))
  expect((await imageAt(history, { kind: 'latest' })).equals(newest)).toBe(true)
  await back(history, 6)
  await newestOf(history, [...states, newest], 6)
})

const cli = await peerOrReason('litestream-cli')

test('Litestream restores every state around a rollback', async (context) => {
  if ('reason' in cli) return context.skip(cli.reason)
  using history = await randomHistory(5, 7)
  const states = [...history.images]
  for (const txid of [3, 7]) {
    await back(history, txid)
    states.push(await newestOf(history, states, txid))
  }
  for (let txid = 2; txid < states.length; txid++) {
    const path = history.path(`peer-${txid}.db`)
    const url = `file://${history.path('replica')}`
    await cli.restore(url, path, { txid: formatTXID(toTXID(BigInt(txid))) })
    expect(readFileSync(path).equals(states[txid]!), `TXID ${txid}`).toBe(true)
  }
})
