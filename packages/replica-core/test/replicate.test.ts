import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import { checkPrefix, compareImages, HOSTILE_MIX, TempFolder, WriterProcess } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { Primary, type PrimaryEvent } from '../src/index.ts'

async function restoreLatest(replica: Replica, path: string): Promise<void> {
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  const result = await restore(replica, plan, fileSink(path, { overwrite: true }))
  expect(result.proven).toBe(true)
}

describe('a live database', () => {
  it.each([
    ['plain', {}],
    ['hostile', HOSTILE_MIX],
  ])('is replicated and restored, page by page the same (%s writer)', async (_name, mix) => {
    using folder = new TempFolder()
    const database = folder.join('app.db')
    const commitLog = folder.join('commits')
    const replica = new Replica(new FileStore(folder.join('replica')))
    const events: PrimaryEvent[] = []
    await using writer = await WriterProcess.start({ database, commitLog, mix, rate: 1000 })
    const primary = await Primary.open({ database, replica, onEvent: (event) => events.push(event) })
    await writer.waitForCommits(writer.committed() + 3000)
    const before = writer.committed()
    const pos = await primary.durable()
    await restoreLatest(replica, folder.join('restored.db'))
    checkPrefix(folder.join('restored.db'), commitLog, { atLeast: before })
    await writer.stop()
    const report = await primary.close()
    expect(report.pendingFiles).toBe(0)
    expect(report.captured?.txid).toBeGreaterThanOrEqual(pos.txid)
    await restoreLatest(replica, folder.join('restored.db'))
    checkPrefix(folder.join('restored.db'), commitLog, { atLeast: writer.committed(), inFlight: 0 })
    expect(events.filter((event) => event.type === 'failed')).toEqual([])
    expect(events.filter((event) => event.type === 'resynced')).toEqual([])
    void compareImages
  })
})
