import { writeFileSync } from 'node:fs'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { Primary } from '@sqlstream/replica-core'
import {
  checkPrefix,
  compareImages,
  peerOrReason,
  runProgram,
  TempFolder,
  WriterProcess,
} from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { openAzureStore } from '../src/index.ts'
import { azuriteForTests } from './azurite.ts'

const azurite = azuriteForTests()
const cli = await peerOrReason('litestream-cli')

/** Litestream's configuration of one database in Azurite. */
function configure(folder: TempFolder, container: string): { config: string; database: string } {
  const database = folder.join('app.db')
  const config = folder.join('litestream.yml')
  const { account, accountKey, endpoint } = azurite.azurite
  const replica = {
    type: 'abs',
    bucket: container,
    path: 'app',
    endpoint,
    'account-name': account,
    'account-key': accountKey,
  }
  // JSON is YAML.
  writeFileSync(config, JSON.stringify({ dbs: [{ path: database, replica }] }))
  return { config, database }
}

async function write(folder: TempFolder, commits: number): Promise<void> {
  const writing = { database: folder.join('app.db'), commitLog: folder.join('commits'), commits }
  await (await WriterProcess.start(writing)).finished()
}

async function openReplica(container: string): Promise<Replica> {
  return new Replica(await openAzureStore({ ...azurite.options(container), prefix: 'app/' }))
}

async function restoreOurs(replica: Replica, output: string): Promise<void> {
  await restore(replica, planRestore(await replica.catalog(), { kind: 'latest' }), fileSink(output))
}

test('Litestream restores from Azure what we replicated', async (context) => {
  if ('reason' in cli) return context.skip(cli.reason)
  using folder = new TempFolder('azure')
  const container = await azurite.container()
  const { config, database } = configure(folder, container)
  const replica = await openReplica(container)
  await write(folder, 20)
  const primary = await Primary.open({ database, replica })
  await write(folder, 60)
  await primary.durable()
  await primary.close()
  await runProgram(cli.program, ['restore', '-config', config, '-o', folder.join('theirs.db'), database])
  await restoreOurs(replica, folder.join('ours.db'))
  expect(compareImages(folder.join('theirs.db'), folder.join('ours.db'))).toMatchObject({ equal: true })
  checkPrefix(folder.join('theirs.db'), folder.join('commits'), { atLeast: 80 })
})

test('we restore from Azure what Litestream replicated', async (context) => {
  if ('reason' in cli) return context.skip(cli.reason)
  using folder = new TempFolder('azure')
  const container = await azurite.container()
  const { config } = configure(folder, container)
  for (const commits of [20, 40, 60]) {
    await write(folder, commits)
    await runProgram(cli.program, ['replicate', '-once', '-config', config])
  }
  await restoreOurs(await openReplica(container), folder.join('ours.db'))
  await runProgram(cli.program, [
    'restore',
    '-config',
    config,
    '-o',
    folder.join('theirs.db'),
    folder.join('app.db'),
  ])
  expect(compareImages(folder.join('ours.db'), folder.join('theirs.db'))).toMatchObject({ equal: true })
})
