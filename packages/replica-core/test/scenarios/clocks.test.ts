import { rmSync } from 'node:fs'
import type { TXID } from '@sqlstream/ltx'
import {
  assumeSoleWriter,
  type Catalog,
  compact,
  createRetentionPolicy,
  filesOf,
  headOf,
  planRestore,
  restorableTXIDs,
  restore,
} from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { MemoryStore } from '@sqlstream/storage'
import { Random } from '@sqlstream/testkit'
import { expect, it } from 'vitest'
import { addRows, query, Scene } from './support/scene.ts'

const HOUR = 3_600_000
const BEGAN = Date.UTC(2026, 5, 1)

/** A state, the time that it must carry, and how many rows it has. */
interface State {
  readonly txid: TXID
  readonly time: number
  readonly rows: number
}

/** A scene whose captures, files and listings all go by a clock that the test sets. */
async function sceneWithClock(): Promise<{ scene: Scene; clock: { now: number }; store: MemoryStore }> {
  const clock = { now: BEGAN }
  const store = new MemoryStore({ now: () => new Date(clock.now) })
  return { scene: await Scene.begin({ store }), clock, store }
}

/** The state at the start, and one commit after each step of the clock, in ms. */
async function commitAfter(scene: Scene, clock: { now: number }, steps: readonly number[]): Promise<State[]> {
  const states: State[] = []
  const primary = await scene.replicate({ now: () => clock.now })
  let time = 0
  async function note(): Promise<void> {
    await primary.durable()
    time = Math.max(time, clock.now)
    const { txid } = primary.status.captured!
    states.push({ txid, time, rows: Number(scene.app.value('SELECT count(*) FROM t')) })
  }
  await note()
  for (const step of steps) {
    clock.now += step
    scene.app.run(addRows(1))
    await note()
  }
  await primary.close()
  return states
}

/** 100 instants around the states, each answered by the last kept one at or before it, or by an error that says where it lies. */
async function expectAnswers(scene: Scene, catalog: Catalog, states: readonly State[]): Promise<void> {
  const points = new Set(restorableTXIDs(catalog))
  const kept = states.filter(({ txid }) => points.has(txid))
  const [first, last] = [kept[0]!, kept.at(-1)!]
  const random = new Random(24)
  const span = last.time - first.time
  const instants = Array.from({ length: 96 }, () => first.time - HOUR + random.integer(0, span + 2 * HOUR))
  for (const instant of [...instants, first.time - 1, first.time, last.time, last.time + 1]) {
    const timestamp = new Date(instant)
    const timed = await scene.replica.withTimestamps(catalog, timestamp)
    const plan = (): unknown => planRestore(timed, { kind: 'timestamp', timestamp, strict: true })
    if (instant < first.time) {
      expect(plan).toThrow(expect.objectContaining({ code: 'target-before-first' }))
      continue
    }
    if (instant > last.time) {
      expect(plan).toThrow(expect.objectContaining({ code: 'target-after-last' }))
      continue
    }
    const expected = kept.findLast(({ time }) => time <= instant)!
    expect(plan()).toMatchObject({
      txid: expected.txid,
      timestamp: new Date(expected.time),
      distanceMs: instant - expected.time,
    })
  }
  for (const { txid, time, rows } of kept) {
    const path = scene.folder.join('at.db')
    const result = await restore(
      scene.replica,
      planRestore(catalog, { kind: 'txid', txid }),
      fileSink(path, { overwrite: true }),
    )
    expect(result.timestamp).toEqual(new Date(time))
    expect(query(path, 'SELECT count(*) FROM t')).toBe(rows)
  }
}

it.each([
  { clock: 'goes forward', steps: [1000, 40_000, HOUR, 5000, 20_000, 10 * HOUR, 1000, 1000] },
  {
    clock: 'goes back by an hour between commits',
    steps: [1000, -HOUR, 1000, 40_000, -HOUR, 1000, 3 * HOUR, 1000, -HOUR, 20_000, HOUR, 5000],
  },
  {
    clock: 'goes back and forth by hours',
    steps: [7 * HOUR, -5 * HOUR, 1000, 9 * HOUR, -11 * HOUR, 2000, 12 * HOUR, -HOUR, 1000, 30_000],
  },
  { clock: 'goes back before the first state, and stays there', steps: [-4 * HOUR, 1000, 60_000, 1000] },
])(
  'T24: the clock $clock: an instant gives the last kept state before it, and says which',
  async ({ steps }) => {
    const { scene, clock } = await sceneWithClock()
    await using _ = scene
    const states = await commitAfter(scene, clock, steps)
    const captured = await scene.replica.catalog()
    expect(new Set(states.map(({ txid }) => txid)).size).toBe(states.length)
    await expectAnswers(scene, captured, states)

    // Merged to three levels and a snapshot, long after; then without the captures.
    const late = Math.max(clock.now, states.at(-1)!.time) + 24 * HOUR
    await compact(scene.replica, scene.replica.writer(assumeSoleWriter('a test')), captured, {
      now: () => late,
    })
    const merged = await scene.replica.catalog()
    expect([1, 2, 3, 9].filter((level) => merged.levels.has(level))).toEqual([1, 2, 3, 9])
    expect(headOf(merged)).toBe(states.at(-1)!.txid)
    await expectAnswers(scene, merged, states)
    await scene.store.delete(merged.levels.get(0)!.map(({ key }) => key))
    const expired = await scene.replica.catalog()
    expect(restorableTXIDs(expired)).toContain(states.at(-1)!.txid)
    await expectAnswers(scene, expired, states)
  },
)

it('T24: with the local state lost and the clock set back, what follows is still not earlier than what the replica has', async () => {
  const { scene, clock } = await sceneWithClock()
  await using _ = scene
  const states = await commitAfter(scene, clock, [HOUR, 1000])
  rmSync(scene.folder.join('db', '.app.db-sqlstream'), { recursive: true })
  clock.now -= 3 * HOUR
  const primary = await scene.replicate({ now: () => clock.now, onDiverged: 'snapshot' })
  scene.app.run(addRows(1))
  await primary.durable()
  await primary.close()
  const { result } = await scene.restore()
  expect(result.pos.txid).toBeGreaterThan(states.at(-1)!.txid)
  expect(result.timestamp).toEqual(new Date(states.at(-1)!.time))
})

it('T24: retention of a process whose clock was ahead by years goes on when it is set right, and keeps the newest state', async () => {
  const store = new MemoryStore()
  await using scene = await Scene.begin({ store })
  let ahead = 10 * 365 * 24 * HOUR
  let looks = 0
  const retention = createRetentionPolicy({
    keep: [{ every: 'capture', for: 100 }],
    grace: 100,
    minSnapshots: 1,
  })
  const primary = await scene.replicate({
    maintenance: { compaction: 'never', retention, retainEveryMs: 50 },
    now: () => Date.now() + ahead,
    failpoint: (name) => {
      if (name === 'retain:after') looks++
    },
  })
  scene.app.run(addRows(1))
  await primary.durable()
  await expect.poll(() => looks).toBeGreaterThan(0)
  ahead = 0
  const before = looks
  await expect
    .poll(async () => {
      scene.app.run(addRows(1))
      await primary.durable()
      return looks
    })
    .toBeGreaterThan(before + 1)
  await primary.close()
  await scene.expectSameRows()
  expect(filesOf(await scene.replica.catalog()).length).toBeGreaterThan(1)
})
