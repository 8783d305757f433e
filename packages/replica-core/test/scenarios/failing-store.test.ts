import { existsSync, readdirSync, rmSync } from 'node:fs'
import { type Fault, type FaultyStore, StorageError, withFaults } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { Scene } from './support/scene.ts'

/** A scene whose store fails as planned. */
async function failingScene(): Promise<{ scene: Scene; store: FaultyStore }> {
  let store: FaultyStore | undefined
  const scene = await Scene.begin({
    wrap: (inner) => {
      store = withFaults(inner, [])
      return store
    },
  })
  return { scene, store: store! }
}

/** Everything in the replica's folder but the lease, which comes first and is given back. */
function objects(scene: Scene): string[] {
  const folder = scene.folder.join('replica')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true }) as string[]
  return names.filter((name) => !/^\.sqlstream(\/lease\.json)?$/.test(name)).sort()
}

const denied = (operation: 'list' | 'get'): StorageError =>
  new StorageError('403 Forbidden', { code: 'permission-denied', driver: 'test', operation })

const FAILURES: [string, Fault[], { code: string }][] = [
  ['403', [{ operation: 'list', fault: 'fail', error: denied('list') }], { code: 'permission-denied' }],
  ['500', [{ operation: 'list', fault: 'fail', error: 'unavailable' }], { code: 'unavailable' }],
  ['a timeout', [{ operation: 'list', fault: 'fail', error: 'timeout' }], { code: 'timeout' }],
  [
    'the wrong region',
    [{ operation: 'list', fault: 'fail', error: 'invalid-config' }],
    { code: 'invalid-config' },
  ],
  ['an empty page and then 500', [{ operation: 'list', fault: 'cut', entries: 0 }], { code: 'unavailable' }],
  ['a short page and then 500', [{ operation: 'list', fault: 'cut', entries: 1 }], { code: 'unavailable' }],
  [
    '403 for objects',
    [{ operation: 'get', fault: 'fail', error: denied('get') }],
    { code: 'permission-denied' },
  ],
]

describe('a store that cannot be read', () => {
  it.each(FAILURES)(
    'T53: %s at the first start is that error: nothing is created, nothing uploaded',
    async (_name, plan, error) => {
      const { scene, store } = await failingScene()
      await using _ = scene
      store.setPlan(plan)
      for (let i = 0; i < 2; i++)
        await expect(scene.replicate()).rejects.toMatchObject({ name: 'StorageError', ...error })
      expect(objects(scene)).toEqual([])
      const state = scene.folder.join('db', '.app.db-sqlstream')
      expect(existsSync(`${state}/ledger`) || existsSync(`${state}/identity.json`)).toBe(false)
      store.setPlan([])
      const primary = await scene.replicate()
      await primary.durable()
      await scene.expectSamePages()
    },
  )

  it.each(FAILURES)('S1, T53: %s never makes an existing replica a first run', async (_name, plan, error) => {
    const { scene, store } = await failingScene()
    await using _ = scene
    const first = await scene.replicate()
    scene.app.run("INSERT INTO t(v) VALUES('one')")
    await first.durable()
    await first.close()
    scene.app.run("INSERT INTO t(v) VALUES('two')")
    const before = objects(scene)
    // With and without the local state: the replica alone must be enough to know better.
    for (const stateLost of [false, true]) {
      if (stateLost) rmSync(scene.folder.join('db', '.app.db-sqlstream'), { recursive: true })
      store.setPlan(plan)
      await expect(scene.replicate()).rejects.toMatchObject({ name: 'StorageError', ...error })
      expect(objects(scene)).toEqual(before)
    }
    store.setPlan([])
    // Nothing here says any more that this database belongs to that replica.
    await expect(scene.replicate()).rejects.toMatchObject({ code: 'diverged', hint: expect.any(String) })
    const again = await scene.replicate({ onDiverged: 'snapshot' })
    await again.durable()
    expect(scene.seen('snapshot-started').map((event) => event.reason)).not.toContain('replica-empty')
    expect(scene.seen('snapshot-started').filter((event) => event.reason === 'first-start')).toHaveLength(1)
    await scene.expectSameRows()
    await scene.expectSamePages()
  })

  it('T53: a store that never answers is given up with the reason of the signal', async () => {
    const { scene, store } = await failingScene()
    await using _ = scene
    store.setPlan([{ operation: 'list', fault: 'delay', wait: () => new Promise(() => undefined) }])
    const reason = new Error('took too long')
    const controller = new AbortController()
    const opening = scene.replicate({ signal: controller.signal })
    controller.abort(reason)
    await expect(opening).rejects.toBe(reason)
    expect(objects(scene)).toEqual([])
  })

  it('T53: a database that does not exist is never created', async () => {
    const { scene, store } = await failingScene()
    await using _ = scene
    store.setPlan([{ operation: 'list', fault: 'fail', error: denied('list') }])
    const database = scene.folder.join('db', 'other.db')
    await expect(scene.replicate({ database })).rejects.toMatchObject({ code: 'database-missing' })
    expect(existsSync(database)).toBe(false)
    expect(readdirSync(scene.folder.join('db')).filter((name) => name.includes('other'))).toEqual([])
  })
})
