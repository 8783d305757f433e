import { toTXID } from '@sqlstream/ltx'
import { assumeSoleWriter, Replica } from '@sqlstream/replica'
import { type FaultyStore, withFaults } from '@sqlstream/storage'
import { expect, it } from 'vitest'
import type { FailpointHook } from '../src/index.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

/** A scene in which another writer has put its own file where our next one goes, and that put waits at a gate. */
async function fencedSoon(failpoint?: FailpointHook): Promise<{
  scene: Scene
  primary: Awaited<ReturnType<Scene['replicate']>>
  open: () => void
}> {
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let faulty: FaultyStore | undefined
  const scene = await Scene.begin({ wrap: (store) => (faulty = withFaults(store, [])) })
  const primary = await scene.replicate(failpoint && { failpoint })
  const { txid } = await primary.durable()
  const next = toTXID(txid + 1n)
  const other = new Replica(scene.store).writer(assumeSoleWriter('another'))
  await other.put(0, { minTXID: next, maxTXID: next }, new Uint8Array([1, 2, 3]), { timestamp: new Date() })
  faulty!.setPlan([{ operation: 'put', fault: 'delay', wait: () => gate }])
  scene.app.run(addRows(1))
  await primary.sync()
  return { scene, primary, open }
}

const FENCED = expect.objectContaining({ name: 'PrimaryError', code: 'fenced', hint: expect.any(String) })

it('T1: meeting another writer ends captures and waits until close, and the spool keeps what was captured', async () => {
  const { scene, primary, open } = await fencedSoon()
  await using _ = scene
  const waiting = expect(primary.durable()).rejects.toEqual(FENCED)
  open()
  await waiting
  expect(primary.status.state).toBe('fenced')
  scene.app.run(addRows(10))
  await expect(primary.sync()).rejects.toEqual(FENCED)
  await expect(primary.durable()).rejects.toEqual(FENCED)
  await expect(primary.checkpoint()).rejects.toEqual(FENCED)
  expect(primary.status).toMatchObject({ state: 'fenced', lastError: FENCED })
  const report = await primary.close()
  expect(report.pendingFiles).toBe(1)
  expect(primary.status.state).toBe('closed')
})

it('T1: meeting it in the middle of a capture says the same', async () => {
  let armed = false
  let release: () => void = () => undefined
  const { scene, primary, open } = await fencedSoon((name) => {
    if (armed && name === 'encode:before') release()
  })
  await using _ = scene
  release = open
  await scene.app.runBeside(addRows(15_000, 4000))
  armed = true
  await primary.sync().catch((error: unknown) => expect(error).toEqual(FENCED))
  await scene.event((event) => event.type === 'state' && event.to === 'fenced')
  await expect(primary.sync()).rejects.toEqual(FENCED)
  expect(primary.status).toMatchObject({ state: 'fenced', lastError: FENCED })
  expect(scene.seen('state').filter(({ from }) => from === 'fenced')).toEqual([])
  expect((await primary.close()).pendingFiles).toBeGreaterThan(0)
})
