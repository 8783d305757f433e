import { planRestore, Replica, restore, verify } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import {
  checkPrefix,
  compareImages,
  databaseImage,
  HOSTILE_MIX,
  TempFolder,
  WriterProcess,
} from '@sqlstream/testkit'
import { expect, it } from 'vitest'
import { Primary, type PrimaryEvent } from '../src/index.ts'

const COMMITS = 400
// Much of everything, since the run is short.
const MIX = {
  ...HOSTILE_MIX,
  bulk: 0.01,
  spill: 0.01,
  schema: 0.02,
  vacuum: 0.005,
  checkpointTruncate: 0.005,
}

it.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
  'P3, R3: a live database with pages of %i bytes is restored byte by byte',
  async (pageSize) => {
    using folder = new TempFolder('page-size')
    const database = folder.join('app.db')
    const commitLog = folder.join('commits')
    const replica = new Replica(new FileStore(folder.join('replica')))
    const events: PrimaryEvent[] = []
    await using writer = await WriterProcess.start({
      database,
      commitLog,
      mix: MIX,
      pageSize,
      commits: COMMITS,
      // Its own strong checkpoints give up soon when something is in their way.
      busyTimeoutMs: 1000,
    })
    const primary = await Primary.open({
      database,
      replica,
      // Several captures and checkpoints in a short time.
      syncIntervalMs: 20,
      checkpointFrames: 200,
      onEvent: (event) => events.push(event),
    })
    await writer.finished()
    expect((await primary.close()).pendingFiles).toBe(0)
    const image = await databaseImage(database, folder.join('image.db'))
    expect(image.pageSize).toBe(pageSize)
    const plan = planRestore(await replica.catalog(), { kind: 'latest' })
    const result = await restore(replica, plan, fileSink(folder.join('restored.db')))
    expect(result).toMatchObject({ proven: true, pageSize, commit: image.pageCount })
    expect(compareImages(folder.join('restored.db'), image.path)).toMatchObject({ equal: true })
    checkPrefix(folder.join('restored.db'), commitLog, { atLeast: COMMITS, inFlight: 0 })
    for await (const finding of verify(replica, { depth: 'bytes' })) {
      expect(finding.severity, finding.message).toBe('info')
    }
    expect(events.filter(({ type }) => type === 'failed' || type === 'resynced')).toEqual([])
    expect(events.filter(({ type }) => type === 'snapshotted')).toHaveLength(1)
  },
)
