import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { withObserver } from '@sqlstream/storage'
import { HOSTILE_MIX, Random, WriterProcess } from '@sqlstream/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { type Primary, type PrimaryOptions, showLease } from '../src/index.ts'
import type { Resting } from '../src/rest.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

/** Rests as soon as that is possible. */
async function rested(primary: Primary): Promise<Resting> {
  for (;;) {
    const resting = await primary.rest()
    if (resting !== undefined) return resting
    await sleep(10)
  }
}

function reopen({ app, database }: Scene): void {
  app.close()
  app.open(database).run(addRows(5))
}

describe('a database that rests', () => {
  const requests: string[] = []
  let scene: Scene
  afterEach(async () => {
    await scene[Symbol.asyncDispose]()
    requests.length = 0
  })

  async function begin(options: Partial<PrimaryOptions> = {}): Promise<Primary> {
    scene = await Scene.begin({
      wrap: (store) => withObserver(store, ({ operation, key }) => requests.push(`${operation} ${key}`)),
    })
    scene.app.run(addRows(50))
    const primary = await scene.replicate(options)
    await primary.durable()
    return primary
  }

  async function wake(resting: Resting): Promise<Primary> {
    requests.length = 0
    scene.events.length = 0
    return scene.replicate({}, { resting })
  }

  it('costs no request to let go and to take up again, when nothing was committed (Q1)', async () => {
    const primary = await begin()
    requests.length = 0
    const resting = await rested(primary)
    const woken = await wake(resting)
    await woken.durable()
    expect(requests).toEqual([])
    expect(woken.status).toMatchObject({ state: 'idle', captured: resting.pos, pendingFiles: 0 })
  })

  it('costs one put for what was committed meanwhile, and is not compared (Q2)', async () => {
    const resting = await rested(await begin())
    scene.app.run(addRows(3))
    scene.app.run(addRows(4))
    await (await wake(resting)).durable()
    expect(requests.map((each) => each.split(' ')[0])).toEqual(['put'])
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSameRows()
  })

  it.each([
    ['is closed and opened again', false, () => reopen(scene)],
    ['checkpoints', true, () => scene.app.run(`${addRows(5)}; PRAGMA wal_checkpoint(FULL); ${addRows(2)}`)],
    ['truncates its WAL', true, () => scene.app.run(`${addRows(5)}; PRAGMA wal_checkpoint(TRUNCATE)`)],
    [
      'restarts its WAL',
      true,
      () => scene.app.run(`${addRows(5)}; PRAGMA wal_checkpoint(RESTART); ${addRows(2)}`),
    ],
    [
      'is vacuumed',
      true,
      () => scene.app.run('DELETE FROM t WHERE id % 2; VACUUM; PRAGMA wal_checkpoint(FULL)'),
    ],
  ])('loses nothing when its application %s meanwhile (Q2)', async (_what, isCompared, act) => {
    const resting = await rested(await begin())
    act()
    await (await wake(resting)).durable()
    expect(requests.filter((each) => !each.startsWith('put'))).toEqual([])
    expect(scene.seen('resynced').length).toBe(isCompared ? 1 : 0)
    expect(scene.seen('snapshot-started')).toEqual([])
    await scene.expectSamePages()
  })

  it('is not let go while something is not captured, uploaded or copied (Q1)', async () => {
    const primary = await begin()
    scene.app.run(addRows(1))
    expect(await primary.rest()).toBeUndefined()
    expect(primary.status.state).not.toBe('closed')
    await primary.durable()
    await scene.expectSameRows()
  })

  it('asks the replica when its local state is not as it was left (Q3)', async () => {
    const resting = await rested(await begin())
    const pos = { ...resting.pos, txid: (resting.pos.txid - 1n) as typeof resting.pos.txid }
    scene.app.run(addRows(3))
    await (await wake({ ...resting, pos })).durable()
    expect(requests.some((each) => each.startsWith('list'))).toBe(true)
    await scene.expectSameRows()
  })

  it('gives its lease back when it cannot be taken up again', async () => {
    const resting = await rested(await begin())
    scene.app.close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${scene.database}${suffix}`, { force: true })
    await expect(wake(resting)).rejects.toMatchObject({ code: 'database-missing' })
    expect(await showLease(scene.store)).toMatchObject({ state: 'released' })
  })

  it('is fenced when another writer came meanwhile (Q3)', async () => {
    const resting = await rested(await begin({ lease: { ttlMs: 500 } }))
    await using other = await Scene.begin({ store: scene.store })
    const rival = await other.replicate({
      lease: { ttlMs: 100, wait: 'forever' },
      onDiverged: 'snapshot',
    })
    await rival.durable()
    await rival.close()
    scene.app.run(addRows(1))
    const woken = await wake(resting)
    await expect(woken.durable()).rejects.toMatchObject({ code: 'fenced' })
  })
})

it('keeps every commit of a busy writer through many rests, page by page', { timeout: 240_000 }, async () => {
  const random = new Random(20261128)
  await using scene = await Scene.begin()
  const commitLog = scene.folder.join('commits')
  let primary = await scene.replicate()
  for (let round = 0; round < 8; round++) {
    const rate = random.chance(0.5) ? 200 : 2000
    const database = scene.database
    await using writer = await WriterProcess.start({
      database,
      commitLog,
      mix: random.chance(0.5) ? HOSTILE_MIX : {},
      rate,
    })
    await writer.waitForCommits(writer.committed() + 1 + random.below(400))
    await primary.sync()
    await writer.stop()
    const resting = await rested(primary)
    await using again = await WriterProcess.start({
      database,
      commitLog,
      mix: random.chance(0.5) ? HOSTILE_MIX : {},
      rate,
    })
    if (random.chance(0.7)) await again.waitForCommits(again.committed() + 1 + random.below(400))
    primary = await scene.replicate({}, { resting })
    await again.stop()
  }
  await primary.durable()
  expect(scene.seen('snapshot-started')).toHaveLength(1)
  await scene.expectSamePages()
})
