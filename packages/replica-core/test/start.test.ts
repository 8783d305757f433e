import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { formatFilename, toTXID } from '@sqlstream/ltx'
import { verify } from '@sqlstream/replica'
import { type FaultyStore, type StorageOperation, withFaults, withObserver } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { stateFolder } from '../src/state/state-folder.ts'
import { flip } from './scenarios/support/forge.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

/** A database with a snapshot and five captures in its replica, and nobody replicating it. */
async function begin(): Promise<{ scene: Scene; operations: StorageOperation[]; store: FaultyStore }> {
  const operations: StorageOperation[] = []
  let faulty: FaultyStore | undefined
  const scene = await Scene.begin({
    wrap: (store) => {
      faulty = withFaults(store, [])
      return withObserver(faulty, (operation) => operations.push(operation))
    },
  })
  const primary = await scene.replicate()
  for (let i = 0; i < 5; i++) {
    scene.app.run(addRows(3))
    await primary.durable()
  }
  expect((await primary.close()).captured?.txid).toBe(6n)
  scene.events.length = 0
  operations.length = 0
  return { scene, operations, store: faulty! }
}

async function expectOneChain(scene: Scene): Promise<void> {
  for await (const { severity, message } of verify(scene.replica, { depth: 'bytes' })) {
    expect(severity, message).toBe('info')
  }
}

/** Puts of LTX files. */
const puts = (operations: readonly StorageOperation[]): StorageOperation[] =>
  operations.filter(({ operation, key }) => operation === 'put' && key?.endsWith('.ltx'))

describe('a start with damaged state', () => {
  it.each([
    ['journal, in the middle', 'journal', 100],
    ['journal, at its first byte', 'journal', 0],
    ['ledger', 'ledger', 90],
  ] as const)('L3: (%s) compares with the head and goes on with it', async (_what, name, at) => {
    const { scene, operations } = await begin()
    await using _ = scene
    flip(stateFolder(scene.database)[name], at)
    const primary = await scene.replicate()
    await primary.durable()
    expect(puts(operations)).toEqual([])
    expect(primary.status.captured?.txid).toBe(6n)
    scene.app.run(addRows(3))
    await primary.durable()
    expect(scene.seen('snapshot-started')).toEqual([])
    expect(primary.status.captured?.txid).toBe(7n)
    await expectOneChain(scene)
    await scene.expectSamePages()
  })

  it.each(['journal', 'ledger'] as const)(
    'L3: (%s) takes a snapshot when the database is not what the head proves',
    async (name) => {
      const { scene } = await begin()
      await using _ = scene
      flip(stateFolder(scene.database)[name], 90)
      scene.app.run(addRows(3))
      const primary = await scene.replicate()
      await primary.durable()
      expect(scene.seen('snapshot-started')).toEqual([
        { type: 'snapshot-started', txid: 7n, reason: 'histories-differ' },
      ])
      await expectOneChain(scene)
      await scene.expectSamePages()
    },
  )

  it('L2: a spooled file that was never journaled is dropped, and its TXID is used anew', async () => {
    const { scene } = await begin()
    await using _ = scene
    const { spool } = stateFolder(scene.database)
    const seven = { minTXID: toTXID(7n), maxTXID: toTXID(7n) }
    writeFileSync(`${spool}/${formatFilename(seven)}`, 'a file of a dead process')
    scene.app.run(addRows(3))
    const primary = await scene.replicate()
    await primary.durable()
    expect(primary.status.captured?.txid).toBe(7n)
    expect(scene.seen('snapshot-started')).toEqual([])
    expect(readdirSync(spool)).toEqual([])
    await expectOneChain(scene)
    await scene.expectSamePages()
  })

  it('L2: a torn end of the journal costs nothing', async () => {
    const { scene } = await begin()
    await using _ = scene
    const { journal } = stateFolder(scene.database)
    writeFileSync(
      journal,
      Buffer.concat([readFileSync(journal), Buffer.from([0, 0, 1, 0, 0, 0, 0, 9, 9, 9])]),
    )
    scene.app.run(addRows(3))
    const primary = await scene.replicate()
    await primary.durable()
    expect(primary.status.captured?.txid).toBe(7n)
    expect(scene.seen('snapshot-started')).toEqual([])
    await scene.expectSamePages()
  })
})

describe('a start without its store', () => {
  it.each(['unavailable', 'permission-denied'] as const)(
    'S1: fails (%s), changes nothing, and succeeds once the store answers',
    async (error) => {
      const { scene, operations, store } = await begin()
      await using _ = scene
      store.setPlan([{ operation: 'list', fault: 'fail', error }])
      scene.app.run(addRows(3))
      await expect(scene.replicate()).rejects.toMatchObject({ name: 'StorageError', code: error })
      expect(puts(operations)).toEqual([])
      store.setPlan([{ operation: 'get', fault: 'fail', error }])
      await expect(scene.replicate()).rejects.toMatchObject({ name: 'StorageError', code: error })
      expect(puts(operations)).toEqual([])
      store.setPlan([])
      const primary = await scene.replicate()
      await primary.durable()
      expect(scene.seen('snapshot-started')).toEqual([])
      expect(puts(operations)).toHaveLength(1)
      await scene.expectSamePages()
    },
  )

  it('S1: a listing that lost its newest entries is not mistaken for an old replica', async () => {
    const { scene, store } = await begin()
    await using _ = scene
    store.setPlan([{ operation: 'list', fault: 'stale', newest: 2 }])
    scene.app.run(addRows(3))
    // The position is ahead of the listed head, and no spool connects: a new base after both, never an overwrite.
    const primary = await scene.replicate()
    await primary.durable()
    expect(scene.seen('snapshot-started')).toMatchObject([{ txid: 7n, reason: 'spool-does-not-connect' }])
    store.setPlan([])
    await scene.expectSamePages()
  })
})
