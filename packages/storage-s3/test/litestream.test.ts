import { setTimeout } from 'node:timers/promises'
import type { TXID } from '@sqlstream/ltx'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { Primary } from '@sqlstream/replica-core'
import { withPrefix } from '@sqlstream/storage'
import { checkPrefix, compareImages, peerOrReason, TempFolder, WriterProcess } from '@sqlstream/testkit'
import { FakeS3, type S3Server, serverOrReason, startVersityGW } from '@sqlstream/testkit/servers'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { S3Store } from '../src/index.ts'
import { CREDENTIALS, localOptions } from './conformance-options.ts'
import { withBucket } from './servers.ts'

const cli = await peerOrReason('litestream-cli')
const versitygw = await serverOrReason('versitygw', () => withBucket(startVersityGW()))
const fake = await FakeS3.start({ credentials: CREDENTIALS })
afterAll(async () => {
  await fake[Symbol.asyncDispose]()
  if (!('reason' in versitygw)) await versitygw[Symbol.asyncDispose]()
})

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
})
afterEach(() => vi.unstubAllEnvs())

const SERVERS: readonly [name: string, server: Pick<S3Server, 'endpoint'> | { readonly reason: string }][] = [
  ['the fake', { endpoint: fake.url }],
  ['versitygw', versitygw],
]

describe.each(SERVERS)('on %s', (_, server) => {
  test.skipIf('reason' in server || 'reason' in cli)(
    'Litestream restores what we replicate, newest and as of a time',
    async () => {
      if ('reason' in server || 'reason' in cli) return
      using folder = new TempFolder('interop')
      const writing = { database: folder.join('app.db'), commitLog: folder.join('commits'), rate: 400 }
      await using store = withPrefix(await S3Store.open(localOptions(server.endpoint)), 'ours/db/')
      const replica = new Replica(store)
      await (await WriterProcess.start({ ...writing, commits: 20 })).finished()
      const primary = await Primary.open({ database: writing.database, replica })
      await (await WriterProcess.start({ ...writing, commits: 100, seed: 2 })).finished()
      const { txid: middle } = await primary.durable()
      // A listing of S3 has times in whole seconds, and by the last of them Litestream judges whether an instant is in the backup.
      await setTimeout(1010 - (Date.now() % 1000))
      await (await WriterProcess.start({ ...writing, commits: 100, seed: 3 })).finished()
      await primary.durable()
      await primary.close()

      const url = `s3://bucket/ours/db?endpoint=${server.endpoint}&forcePathStyle=true&region=us-east-1`
      await cli.restore(url, folder.join('theirs.db'))
      checkPrefix(folder.join('theirs.db'), writing.commitLog, { atLeast: 220, inFlight: 0 })
      await restoreOurs(replica, folder.join('ours.db'))
      expect(compareImages(folder.join('theirs.db'), folder.join('ours.db'))).toMatchObject({ equal: true })

      // It looks for the times of files in the metadata of objects.
      const catalog = await replica.catalog()
      const file = [...catalog.levels.values()].flat().find(({ maxTXID }) => maxTXID === middle)!
      const timestamp = new Date((await replica.header(file)).timestamp + 1)
      await cli.restore(url, folder.join('theirs-then.db'), { timestamp })
      await restoreOurs(replica, folder.join('ours-then.db'), middle)
      expect(compareImages(folder.join('theirs-then.db'), folder.join('ours-then.db'))).toMatchObject({
        equal: true,
      })
    },
  )

  test.skipIf('reason' in server || 'reason' in cli)('we restore what Litestream replicates', async () => {
    if ('reason' in server || 'reason' in cli) return
    using folder = new TempFolder('interop')
    const writing = { database: folder.join('app.db'), commitLog: folder.join('commits'), rate: 400 }
    const url = `s3://bucket/theirs/db?endpoint=${server.endpoint}&forcePathStyle=true&region=us-east-1`
    for (const [seed, commits] of [20, 100, 100].entries()) {
      await (await WriterProcess.start({ ...writing, seed, commits })).finished()
      await cli.replicateOnce(writing.database, url)
    }
    await using store = withPrefix(await S3Store.open(localOptions(server.endpoint)), 'theirs/db/')
    await restoreOurs(new Replica(store), folder.join('ours.db'))
    checkPrefix(folder.join('ours.db'), writing.commitLog, { atLeast: 220, inFlight: 0 })
    await cli.restore(url, folder.join('theirs.db'))
    expect(compareImages(folder.join('theirs.db'), folder.join('ours.db'))).toMatchObject({ equal: true })
  })
})

async function restoreOurs(replica: Replica, output: string, txid?: TXID): Promise<void> {
  const target = txid === undefined ? ({ kind: 'latest' } as const) : ({ kind: 'txid', txid } as const)
  await restore(replica, planRestore(await replica.catalog(), target), fileSink(output))
}
