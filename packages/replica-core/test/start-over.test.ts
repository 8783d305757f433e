import { readdirSync, rmSync } from 'node:fs'
import { withFaults } from '@sqlstream/storage'
import { expect, it } from 'vitest'
import { stateFolder } from '../src/state/state-folder.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

const DOWN = [{ operation: 'put', fault: 'fail' }] as const

it('P1, P2: a spooled file that is lost while the disk is full ends in a snapshot, never in a replica with a hole', async () => {
  let store: ReturnType<typeof withFaults> | undefined
  await using scene = await Scene.begin({
    wrap: (inner) => {
      store = withFaults(inner, [])
      return store
    },
  })
  let full = false
  const primary = await scene.replicate({
    syncIntervalMs: 20,
    failpoint: (name) => {
      if (full && name === 'ledger:before-write')
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    },
  })
  await primary.durable()
  store!.setPlan(DOWN)
  scene.app.run(addRows(10, 100))
  await primary.sync()
  await scene.event((event) => event.type === 'failed' && event.operation === 'upload')
  const { spool } = stateFolder(scene.database)
  for (const name of readdirSync(spool)) rmSync(`${spool}/${name}`)
  full = true
  store!.setPlan([])
  await scene.event((event) => event.type === 'failed' && event.operation === 'snapshot')
  // Captures alone would fit now, but nothing stands for what was lost.
  scene.app.run(addRows(10, 100))
  await expect(primary.durable()).rejects.toMatchObject({ code: 'disk-full' })
  expect(primary.status.state).toBe('failed')
  full = false
  scene.app.run(addRows(10, 100))
  await primary.durable()
  await scene.expectSameRows()
  await scene.expectSamePages()
})
