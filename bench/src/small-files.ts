import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LitestreamCLI, peerOrReason } from '@sqlstream/testkit'
import { atLeast, atMost, type Benchmark, type Figure } from './benchmark.ts'
import { Child } from './child.ts'
import type { DistantReplicaOptions, DistantReplicaReply } from './distant-replica-main.ts'
import type { RestoreOptions, RestoreReply } from './restore-main.ts'
import { median } from './statistics.ts'

const LATENCY_MS = 20
/** Far above what Litestream needs for a request after the other. */
const PATIENCE_MS = 30 * 60_000

interface Measured {
  readonly seconds: number
  readonly asked: DistantReplicaReply
}

async function measured(server: Child<DistantReplicaReply>, work: () => Promise<void>): Promise<Measured> {
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  return { seconds, asked: await server.ask({}) }
}

async function restoreOurs(options: RestoreOptions): Promise<void> {
  await using child = new Child<RestoreReply>('restore-main', options)
  await child.receive()
  await child.ended()
}

async function restoreTheirs(cli: LitestreamCLI, { replica, output }: RestoreOptions): Promise<void> {
  await cli.restore(replica, output, { integrityCheck: 'none', timeoutMs: PATIENCE_MS })
}

function requestsOf(who: string, { asked }: Measured, mostReads?: number): Figure[] {
  const goal = mostReads === undefined ? {} : atMost(asked.gets, mostReads, 'requests')
  return [
    { name: `${who}: reads`, value: asked.gets, unit: 'requests', ...goal },
    { name: `${who}: all requests`, value: asked.requests, unit: 'requests' },
  ]
}

/** A replica of many small files that is far away. */
export const smallFiles: Benchmark = {
  title: 'Restore of many small files',
  description: `A snapshot and many level-0 files of two pages behind it, in our S3 in memory, whose every answer takes ${LATENCY_MS} ms longer. Each restore is a process of its own, from its start to its end, with the file synced; the results are compared byte by byte. The ratio is of speed.`,
  async run({ size, folder, database, say }) {
    const files = { full: 10_000, quick: 500, tiny: 20 }[size]
    const bytes = { full: 100, quick: 16, tiny: 1 }[size] << 20
    const rounds = { full: 2, quick: 1, tiny: 1 }[size]
    // Both find them here; the server looks at no signature.
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIDEXAMPLE'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'secret'
    const peer = await peerOrReason('litestream-cli')
    say('replica')
    const options: DistantReplicaOptions = { database: database(bytes), files, latencyMs: LATENCY_MS }
    await using server = new Child<DistantReplicaReply>('distant-replica-main', options)
    const { url } = await server.receive()
    const restored = join(folder, 'restored.db')
    const ours: Measured[] = []
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`)
      ours.push(await measured(server, () => restoreOurs({ replica: url, output: restored })))
    }
    const seconds = median(ours.map((round) => round.seconds))
    const figures: Figure[] = []
    const notes = [
      `${files} files behind a snapshot of ${(bytes / 1e6).toFixed(0)} MB; a listing shows 1,000 at a time.`,
    ]
    if ('reason' in peer) {
      notes.push(peer.reason)
      figures.push({ name: 'restore', value: seconds, unit: 's' })
    } else {
      say('litestream restore')
      const output = join(folder, 'litestream.db')
      const theirs = await measured(server, () => restoreTheirs(peer, { replica: url, output }))
      if (!readFileSync(restored).equals(readFileSync(output))) throw new Error('the restored files differ')
      const ratio = theirs.seconds / seconds
      const than = 'litestream restore'
      figures.push(
        { name: 'restore', value: seconds, unit: 's', ratio, than, ...atLeast(ratio, 8, '×') },
        { name: 'litestream restore of the same replica, once', value: theirs.seconds, unit: 's' },
        ...requestsOf('litestream restore', theirs),
      )
    }
    figures.push(...requestsOf('restore', ours.at(-1)!, files + 1 + 5))
    return { figures, notes }
  },
}
