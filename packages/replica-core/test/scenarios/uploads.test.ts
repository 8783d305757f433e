import { restorableTXIDs, verify } from '@sqlstream/replica'
import { type BlobStore, type FaultyStore, withFaults } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { Scene } from './support/scene.ts'

const WORDS = "SELECT group_concat(v, ' ') FROM t"

async function faultyScene(): Promise<{ scene: Scene; store: FaultyStore }> {
  let store: FaultyStore | undefined
  const scene = await Scene.begin({ wrap: (inner) => (store = withFaults(inner, [])) })
  return { scene, store: store! }
}

function insert(scene: Scene, word: string): void {
  scene.app.run(`INSERT INTO t(v) VALUES('${word}')`)
}

async function problems(scene: Scene): Promise<string[]> {
  const found: string[] = []
  for await (const { severity, message } of verify(scene.replica, { depth: 'bytes' }))
    if (severity === 'error') found.push(message)
  return found
}

describe('captures that had to wait', () => {
  const MANY = 20

  it('P2: go up merged, a few puts for all of them, and lead to the same pages', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000, maintenance: 'never' })
    await primary.durable()
    store.setPlan([{ operation: 'put', key: /\.ltx$/, at: [1, 3], fault: 'fail' }])
    for (let i = 0; i < MANY; i++) {
      insert(scene, `word${i}`)
      await primary.sync()
    }
    const { txid } = await primary.durable()
    const captures = scene.seen('uploaded').map((event) => event.captures)
    // The first was tried alone before the others came, and is never put as another range.
    expect(captures).toEqual([1, MANY - 1])
    expect(restorableTXIDs(await scene.replica.catalog()).at(-1)).toBe(txid)
    expect(await problems(scene)).toEqual([])
    await scene.expectSamePages()
  })

  it('P2: are tried again as the same range when the answer was lost, whatever came meanwhile', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000, maintenance: 'never' })
    await primary.durable()
    // The first fails until all wait; the merged one arrives, but nobody hears of it, and it cannot be read back at once.
    store.setPlan([
      { operation: 'put', key: /\.ltx$/, at: 1, fault: 'fail' },
      { operation: 'put', key: /\.ltx$/, at: 3, fault: 'applied-but-failed' },
      { operation: 'get', key: /\.ltx$/, at: [1, 2], fault: 'fail' },
    ])
    for (let i = 0; i < MANY; i++) {
      insert(scene, `word${i}`)
      await primary.sync()
    }
    await scene.event(() => scene.seen('failed').length >= 2)
    insert(scene, 'later')
    await primary.durable()
    expect(scene.seen('uploaded').map((event) => event.captures)).toEqual([1, MANY - 1, 1])
    expect(await problems(scene)).toEqual([])
    await scene.expectSamePages()
  })

  it('P2: and are left when the process ends: the next start puts them merged', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000, maintenance: 'never' })
    await primary.durable()
    store.setPlan([{ operation: 'put', key: /\.ltx$/, fault: 'fail' }])
    for (let i = 0; i < MANY; i++) {
      insert(scene, `word${i}`)
      await primary.sync()
    }
    expect((await primary.close({ signal: AbortSignal.abort() })).pendingFiles).toBe(MANY)
    store.setPlan([])
    const again = await scene.replicate({ maintenance: 'never' })
    await again.durable()
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    expect(scene.seen('uploaded').map((event) => event.captures)).toEqual([MANY])
    expect(await problems(scene)).toEqual([])
    await scene.expectSamePages()
  })
})

describe('T30: an upload that fails while later ones are ready', () => {
  it('is repeated, and nothing goes before it', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    insert(scene, 'one')
    const { txid } = await primary.durable()
    store.setPlan([{ operation: 'put', key: /\.ltx$/, at: [1, 4], fault: 'fail' }])
    for (const word of ['two', 'three', 'four']) {
      insert(scene, word)
      await primary.sync()
    }
    await scene.event((event) => event.type === 'failed' && event.operation === 'upload')
    expect(restorableTXIDs(await scene.replica.catalog()).at(-1)).toBe(txid)
    await primary.durable()
    expect(scene.seen('uploaded').map(({ file }) => file.maxTXID - txid)).toEqual([0n, 1n, 2n, 3n])
    expect(await problems(scene)).toEqual([])
    expect(await scene.ask(WORDS)).toBe('one two three four')
  })

  it('and is not there when the process ends: the next one begins with it', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    store.setPlan([{ operation: 'put', key: /\.ltx$/, fault: 'fail' }])
    for (const word of ['one', 'two']) {
      insert(scene, word)
      await primary.sync()
    }
    expect((await primary.close({ signal: AbortSignal.abort() })).pendingFiles).toBe(2)
    store.setPlan([])
    const again = await scene.replicate()
    await again.durable()
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    expect(await problems(scene)).toEqual([])
    await scene.expectSamePages()
  })

  it('was acknowledged and is gone: it is an error at once for who verifies, and the next start heals it with a snapshot', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    store.setPlan([{ operation: 'put', key: /\.ltx$/, at: 1, fault: 'not-applied-but-succeeded' }])
    for (const word of ['lost', 'two']) {
      insert(scene, word)
      await primary.durable()
    }
    expect((await problems(scene)).join()).toMatch(/0000000000000002 are in no file/)
    await primary.close()
    const again = await scene.replicate()
    await again.durable()
    expect(scene.seen('snapshot-started').at(-1)).toMatchObject({ reason: 'replica-has-gap' })
    expect(await scene.ask(WORDS)).toBe('lost two')
    await scene.expectSamePages()
  })
})

describe('T26: a listing', () => {
  it('without order gives the same start and the same restore', async () => {
    const { scene, store } = await faultyScene()
    await using _ = scene
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    for (let i = 0; i < 20; i++) {
      insert(scene, `w${i}`)
      await primary.durable()
    }
    await primary.close()
    store.setPlan([{ operation: 'list', fault: 'shuffle', seed: 5 }])
    const again = await scene.replicate()
    insert(scene, 'end')
    await again.durable()
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    await scene.expectSamePages()
  })

  it('that lacks the newest files, in a store that says so, is completed by asking for them', async () => {
    let store: FaultyStore | undefined
    const stale = (inner: BlobStore): BlobStore => {
      store = withFaults(inner, [])
      return Object.assign(store, { capabilities: { ...inner.capabilities, consistentList: false } })
    }
    await using scene = await Scene.begin({ wrap: stale })
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    for (const word of ['one', 'two', 'three', 'four']) {
      insert(scene, word)
      await primary.durable()
    }
    await primary.close()
    store!.setPlan([{ operation: 'list', fault: 'stale', newest: 3 }])
    const again = await scene.replicate()
    insert(scene, 'five')
    await again.durable()
    store!.setPlan([])
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    expect(await scene.ask(WORDS)).toBe('one two three four five')
    expect(await problems(scene)).toEqual([])
    await scene.expectSamePages()
  })
})
