import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { planRestore, Replica, restore as restoreReplica } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { peerOrReason } from '@sqlstream/testkit'
import { Application } from './application.ts'
import type { Benchmark, BenchmarkContext, Figure } from './benchmark.ts'
import { copyDatabase } from './generated-database.ts'
import { median, rate } from './statistics.ts'

/** A replica of a generated database: one snapshot, and files of small transactions behind it. */
async function makeReplica(context: BenchmarkContext, bytes: number, files: number): Promise<Replica> {
  const database = join(context.folder, 'source.db')
  copyDatabase(context.database(bytes), database)
  const replica = new Replica(new FileStore(join(context.folder, 'replica')))
  await using application = await Application.start({ database })
  const primary = await Primary.open({ database, replica })
  for (let i = 0; i < files; i++) {
    await application.commit()
    await primary.sync()
  }
  await primary.close()
  await application.close()
  rmSync(database)
  return replica
}

async function timed(path: string, work: () => unknown): Promise<number> {
  rmSync(path, { force: true })
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** `cp` of the real blocks, synced, since a restore ends with a synced file too. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['--sparse=never', '--reflink=never', from, to])
  const fd = openSync(to, 'r+')
  fsyncSync(fd)
  closeSync(fd)
}

/** From a replica in a folder to a database file. */
export const restore: Benchmark = {
  title: 'Restore',
  description:
    'From a folder on the same disk: a snapshot and the files of small transactions behind it, every checksum and the whole chain verified, the file synced. Bytes of the database; medians; ratios to `cp` and a sync of the same file in the same round.',
  async run(context) {
    const bytes = { full: 512, quick: 64, tiny: 1 }[context.size] << 20
    const files = { full: 200, quick: 50, tiny: 3 }[context.size]
    const rounds = { full: 5, quick: 2, tiny: 1 }[context.size]
    const peer = await peerOrReason('litestream-cli')
    context.say('replica')
    const replica = await makeReplica(context, bytes, files)
    const restored = join(context.folder, 'restored.db')
    const copied = join(context.folder, 'copied.db')
    const theirs = join(context.folder, 'litestream.db')
    const ours: number[] = []
    const copies: number[] = []
    const peers: number[] = []
    let size = 0
    for (let round = 0; round < rounds; round++) {
      context.say(`round ${round + 1} of ${rounds}`)
      const milliseconds = await timed(restored, async () => {
        const plan = planRestore(await replica.catalog(), { kind: 'latest' })
        await restoreReplica(replica, plan, fileSink(restored))
      })
      size = statSync(restored).size
      ours.push(rate(size, milliseconds))
      copies.push(rate(size, await timed(copied, () => copy(restored, copied))))
      if ('reason' in peer) continue
      const url = `file://${join(context.folder, 'replica')}`
      peers.push(rate(size, await timed(theirs, () => peer.restore(url, theirs, { integrityCheck: 'none' }))))
    }
    const figure = (name: string, sample: readonly number[]): Figure => {
      const ratio = median(sample.map((value, round) => value / copies[round]!))
      return { name, value: median(sample), unit: 'MB/s', ratio, than: 'cp and sync' }
    }
    const figures = [
      { name: 'cp and sync', value: median(copies), unit: 'MB/s' },
      figure('restore', ours),
      ...('reason' in peer ? [] : [figure('litestream restore of the same replica', peers)]),
    ]
    const notes = [`${(size / 1e6).toFixed(0)} MB of database, ${files} files behind the snapshot.`]
    return { figures, notes: 'reason' in peer ? [...notes, peer.reason] : notes }
  },
}
