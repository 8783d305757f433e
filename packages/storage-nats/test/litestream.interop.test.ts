import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { Primary } from '@sqlstream/replica-core'
import { checkPrefix, compareImages, peerOrReason, TempFolder, WriterProcess } from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { address, newBucket, open, reason } from './nats.ts'

const cli = await peerOrReason('litestream-cli')

async function write(folder: TempFolder, commits: number): Promise<void> {
  const writing = { database: folder.join('app.db'), commitLog: folder.join('commits'), commits }
  await (await WriterProcess.start(writing)).finished()
}

async function restoreOurs(replica: Replica, output: string): Promise<void> {
  await restore(replica, planRestore(await replica.catalog(), { kind: 'latest' }), fileSink(output))
}

test('Litestream restores from NATS what we replicated', async (context) => {
  if (reason !== undefined) return context.skip(reason)
  if ('reason' in cli) return context.skip(cli.reason)
  using folder = new TempFolder('nats')
  const { bucket } = await newBucket()
  await using store = await open(bucket)
  const replica = new Replica(store)
  await write(folder, 20)
  const primary = await Primary.open({ database: folder.join('app.db'), replica })
  await write(folder, 60)
  await primary.durable()
  await primary.close()
  await cli.restore(`nats://${address}/${bucket}`, folder.join('theirs.db'))
  await restoreOurs(replica, folder.join('ours.db'))
  expect(compareImages(folder.join('theirs.db'), folder.join('ours.db'))).toMatchObject({ equal: true })
  checkPrefix(folder.join('theirs.db'), folder.join('commits'), { atLeast: 80 })
})

test('we restore from NATS what Litestream replicated', async (context) => {
  if (reason !== undefined) return context.skip(reason)
  if ('reason' in cli) return context.skip(cli.reason)
  using folder = new TempFolder('nats')
  const { bucket } = await newBucket()
  const url = `nats://${address}/${bucket}`
  for (const commits of [20, 40, 60]) {
    await write(folder, commits)
    await cli.replicateOnce(folder.join('app.db'), url)
  }
  await using store = await open(bucket)
  await restoreOurs(new Replica(store), folder.join('ours.db'))
  await cli.restore(url, folder.join('theirs.db'))
  checkPrefix(folder.join('ours.db'), folder.join('commits'), { atLeast: 120 })
  expect(compareImages(folder.join('ours.db'), folder.join('theirs.db'))).toMatchObject({ equal: true })
})
