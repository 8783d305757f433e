import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type LitestreamCLI, peerOrReason } from '@sqlstream/testkit'
import { Application, type ApplicationReply } from './application.ts'
import { atLeast, atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { processorSeconds } from './process-figures.ts'
import { Replicator, type ReplicatorReply } from './replicator.ts'
import { median, quantile } from './statistics.ts'

const WAL_POLL_MS = 10

/** One run of the application. */
interface Run {
  readonly written: ApplicationReply
  readonly walBytes: number
  readonly processorSeconds: number
  readonly replicator?: ReplicatorReply
}

type Companion = 'alone' | 'sqlstream' | 'Litestream'

interface Companioned {
  readonly pid: number
  stop(): Promise<ReplicatorReply | undefined>
}

async function companionOf(
  companion: Companion,
  cli: LitestreamCLI | undefined,
  database: string,
  replica: string,
): Promise<Companioned | undefined> {
  if (companion === 'sqlstream') return Replicator.start({ database, replica })
  if (companion === 'alone' || cli === undefined) return undefined
  const replication = await cli.replicate(database, `file://${replica}`)
  return {
    pid: replication.pid,
    stop: async () => {
      // How well it ends is not our subject.
      await replication.kill()
      return undefined
    },
  }
}

async function oneRun(
  context: BenchmarkContext,
  companion: Companion,
  pace: { readonly seconds: number; readonly rate?: number },
  cli: LitestreamCLI | undefined,
): Promise<Run> {
  const folder = join(context.folder, 'run')
  const database = join(folder, 'app.db')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  // What the run before left to be written must not be paid by this one.
  spawnSync('sync')
  await using application = await Application.start({ database })
  await application.commit()
  const beside = await companionOf(companion, cli, database, join(folder, 'replica'))
  // Everybody's start is over, and the compiler of the application has seen the loop.
  await application.write({ seconds: pace.seconds / 10, ...(pace.rate && { rate: pace.rate }) })
  const before = beside === undefined ? 0 : processorSeconds(beside.pid)
  let walBytes = 0
  const poll = setInterval(() => {
    walBytes = Math.max(walBytes, statSync(`${database}-wal`).size)
  }, WAL_POLL_MS)
  const written = await application.write(pace)
  clearInterval(poll)
  const used = beside === undefined ? 0 : processorSeconds(beside.pid) - before
  const replicator = await beside?.stop()
  await application.close()
  rmSync(folder, { recursive: true, force: true })
  return { written, walBytes, processorSeconds: used, ...(replicator && { replicator }) }
}

/** Rounds in which each takes its turn, in changing order, so that a slow moment of the machine hits all. */
async function interleaved(
  context: BenchmarkContext,
  pace: { readonly seconds: number; readonly rate?: number },
  cli: LitestreamCLI | undefined,
): Promise<Map<Companion, Run[]>> {
  const rounds = { full: 5, quick: 2, tiny: 1 }[context.size]
  const companions: Companion[] =
    cli === undefined ? ['alone', 'sqlstream'] : ['alone', 'sqlstream', 'Litestream']
  const runs = new Map<Companion, Run[]>(companions.map((companion) => [companion, []]))
  for (let round = 0; round < rounds; round++) {
    context.say(
      `${pace.rate === undefined ? 'full speed' : `${pace.rate} tx/s`}, round ${round + 1} of ${rounds}`,
    )
    for (let i = 0; i < companions.length; i++) {
      const companion = companions[(i + round) % companions.length]!
      runs.get(companion)?.push(await oneRun(context, companion, pace, cli))
    }
  }
  return runs
}

function figuresOf(pace: string, runs: ReadonlyMap<Companion, readonly Run[]>, leastRatio: number): Figure[] {
  const alone = runs.get('alone') ?? []
  return [...runs].flatMap(([companion, own]): Figure[] => {
    const ours = companion === 'sqlstream'
    const of = (value: (run: Run) => number, all: readonly Run[] = own): number => median(all.map(value))
    const speed = (run: Run): number => run.written.commits / (run.written.milliseconds / 1000)
    const ratio = median(own.map((run, round) => speed(run) / speed(alone[round]!)))
    const longest = Math.max(...own.map((run) => run.written.max))
    const largest = Math.max(...own.map((run) => run.walBytes)) / 1e6
    const name = (what: string): string => `${pace}, ${companion}: ${what}`
    const line = (what: string, value: number, unit: string): Figure => ({ name: name(what), value, unit })
    const transactions: Figure[] = [
      companion === 'alone'
        ? line('throughput', of(speed), 'tx/s')
        : {
            ...line('throughput', of(speed), 'tx/s'),
            ratio,
            than: 'alone, the same round',
            ...(ours && atLeast(ratio, leastRatio)),
          },
      line(
        'transaction, p50',
        of((run) => run.written.p50 * 1000),
        'µs',
      ),
      line(
        'transaction, p99',
        of((run) => run.written.p99 * 1000),
        'µs',
      ),
      { ...line('longest stall of all rounds', longest, 'ms'), ...(ours && atMost(longest, 100, 'ms')) },
      { ...line('largest WAL of all rounds', largest, 'MB'), ...(ours && atMost(largest, 70, 'MB')) },
    ]
    if (companion === 'alone') return transactions
    return [
      ...transactions,
      line(
        'processor time of the replicator',
        of((run) => run.processorSeconds),
        's',
      ),
    ]
  })
}

function barriers(runs: ReadonlyMap<Companion, readonly Run[]>): string {
  const replies = (runs.get('sqlstream') ?? []).flatMap((run) => run.replicator ?? [])
  const times = replies.map((reply) => reply.writeLocks.length)
  if (times.every((count) => count === 0)) return 'writers were never kept out'
  const longest = Math.max(...replies.flatMap((reply) => reply.writeLocks))
  return `writers were kept out ${median(times)} times a run (median), the longest ${longest.toFixed(1)} ms`
}

/** How long writers were kept out, over all rounds. */
function keptOut(pace: string, runs: ReadonlyMap<Companion, readonly Run[]>): Figure[] {
  const times = (runs.get('sqlstream') ?? []).flatMap((run) => run.replicator?.writeLocks ?? [])
  if (times.length === 0) return []
  const name = (what: string): string => `${pace}, sqlstream: writers kept out, ${what}`
  const p99 = quantile(times, 0.99)
  return [
    { name: name('p50'), value: quantile(times, 0.5), unit: 'ms' },
    { name: name('p99'), value: p99, unit: 'ms', ...atMost(p99, 50, 'ms') },
  ]
}

/** What replication costs the application. */
export const writer: Benchmark = {
  title: 'The application',
  description:
    'One connection, one row of 200 bytes a transaction, `synchronous=NORMAL`, SQLite’s own autocheckpoint left on; the replicator runs in its own process with its default options, into a folder on the same disk. Rounds are interleaved; medians, except where it says "all rounds".',
  async run(context) {
    const peer = await peerOrReason('litestream-cli')
    const cli = 'reason' in peer ? undefined : peer
    const seconds = { full: 8, quick: 3, tiny: 0.3 }[context.size]
    const paced = await interleaved(context, { seconds, rate: 2000 }, cli)
    const free = await interleaved(context, { seconds }, cli)
    const notes = [
      `Each run takes ${seconds} s, after a warm-up of a tenth of that.`,
      `sqlstream at 2,000 tx/s: ${barriers(paced)}. At full speed: ${barriers(free)}.`,
      'reason' in peer ? peer.reason : 'Litestream 0.5.17, `litestream replicate` with its default options.',
    ]
    return {
      figures: [
        ...figuresOf('2,000 tx/s', paced, 0.98),
        ...keptOut('2,000 tx/s', paced),
        ...figuresOf('full speed', free, 0.8),
        ...keptOut('full speed', free),
      ],
      notes,
    }
  },
}
