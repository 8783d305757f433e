import { Args, Flags } from '@oclif/core'
import type { CloseReport, PrimaryEvent } from '@sqlstream/replica-core'
import { redactText } from '@sqlstream/storage'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import { parseLocation } from '../drivers.ts'
import { parseDuration } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import { eventJSON, eventLine, stoppedJSON, stoppedLine } from '../output/events.ts'
import { UploadSummary } from '../output/upload-summary.ts'
import { type Pair, Replication, type ReplicationOptions } from '../replication.ts'

export default class Replicate extends BaseCommand {
  static override enableJsonFlag = false
  static override summary = 'Stream every commit of a live database to a replica.'
  static override description =
    'Runs beside the application until it is stopped. Ctrl-C uploads what is left and says what is safe; a second Ctrl-C stops at once and loses nothing that was reported as uploaded. Nothing is written into the database. With --json each event is one line of JSON.'
  static override usage =
    'replicate DATABASE URL [DATABASE URL ...] [--sync-interval <duration>] [--once] [--on-behind refuse|snapshot] [--state-dir <path>] [--json]'
  static override examples = [
    {
      description: 'Replicate a database into a folder',
      command: '<%= config.bin %> replicate app.db /backups/app',
    },
    {
      description: 'Several databases in one process',
      command: '<%= config.bin %> replicate app.db file:///backups/app jobs.db file:///backups/jobs',
    },
    {
      description: 'Upload everything that is committed, then end',
      command: '<%= config.bin %> replicate app.db /backups/app --once',
    },
  ]
  static override args = {
    pairs: Args.string({
      ignoreStdin: true,
      required: true,
      multiple: true,
      description: 'database path and replica URL, as often as you like',
    }),
  }
  static override flags = {
    'sync-interval': Flags.string({
      default: '1s',
      description: 'longest time between a commit and its capture',
    }),
    once: Flags.boolean({
      default: false,
      description: 'end when everything committed so far is in the replica',
    }),
    'on-behind': Flags.option({ options: ['refuse', 'snapshot'] as const })({
      default: 'refuse',
      description: 'when the replica is ahead of this database: refuse, or start anew from a snapshot',
    }),
    'state-dir': Flags.string({
      description: 'folder for local state, default .<database>-sqlstream beside the database',
    }),
    json: Flags.boolean({ default: false, description: 'one JSON object per event on standard output' }),
  }
  #json = false
  readonly #summaries = new Map<Pair, UploadSummary>()

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replicate)
    this.#json = flags.json
    const pairs = toPairs(args.pairs)
    if (flags['state-dir'] !== undefined && pairs.length > 1) {
      throw new CLIError('usage', '--state-dir can be given for one database alone')
    }
    const running = await this.#start(pairs, {
      syncIntervalMs: parseDuration(flags['sync-interval']),
      onBehind: flags['on-behind'],
      ...(flags['state-dir'] === undefined ? {} : { stateDir: flags['state-dir'] }),
      signal: this.signal,
      onEvent: (pair, event) => this.#onEvent(pair, event),
    })
    try {
      const done = flags.once ? this.#durable(running) : Promise.all(running.map((each) => each.fenced))
      await Promise.race([aborted(this.signal), done])
    } finally {
      await this.#stop(running)
    }
  }

  /** Starts them all; when one cannot start, none runs: a mistake in a deployment must be seen at once. */
  async #start(pairs: readonly Pair[], options: ReplicationOptions): Promise<Replication[]> {
    const running: Replication[] = []
    try {
      for (const pair of pairs) {
        this.#summaries.set(pair, new UploadSummary())
        const replication = await Replication.start(pair, options)
        running.push(replication)
        if (!this.#json) this.log(`${pair.database}: replicating to ${replication.display}`)
      }
    } catch (error) {
      await this.#stop(running)
      throw error
    }
    return running
  }

  async #durable(running: readonly Replication[]): Promise<void> {
    try {
      await Promise.all(running.map((each) => each.durable(this.signal)))
    } catch (error) {
      // After Ctrl-C the report says what is safe, and the exit code whether that is everything.
      if (!this.signal.aborted) throw error
    }
  }

  async #stop(running: readonly Replication[]): Promise<void> {
    const results = await Promise.allSettled(
      running.map(async (each) => this.#report(each, await each.stop())),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  #report(replication: Replication, report: CloseReport): void {
    const { pair } = replication
    const complete = report.pendingFiles === 0 && report.uploaded === report.captured?.txid
    if (!complete) process.exitCode ??= EXIT.interrupted
    if (this.#json) this.#line(stoppedJSON(source(pair), new Date(), report))
    else {
      const uploads = this.#summaries.get(pair)?.flush()
      if (uploads !== undefined) this.log(`${pair.database}: ${uploads}`)
      this.log(`${pair.database}: ${stoppedLine(report)}`)
    }
  }

  #onEvent(pair: Pair, event: PrimaryEvent): void {
    if (event.type === 'state' && event.to === 'fenced') process.exitCode = EXIT.conflict
    if (this.#json) {
      this.#line(eventJSON(source(pair), new Date(), event))
      return
    }
    for (const line of [eventLine(event), this.#summaries.get(pair)?.add(event)]) {
      if (line !== undefined) this.log(`${pair.database}: ${line}`)
    }
  }

  /** One write per line: a reader of a pipe never sees half of one. */
  #line(event: unknown): void {
    process.stdout.write(`${redactText(JSON.stringify(event))}\n`)
  }
}

function source(pair: Pair): { database: string; replica: string } {
  return { database: pair.database, replica: parseLocation(pair.url).display }
}

function toPairs(words: readonly string[]): Pair[] {
  if (words.length === 0 || words.length % 2 !== 0) {
    throw new CLIError(
      'usage',
      'each database needs a URL',
      'sqlstream replicate <db> <url> [<db> <url> ...]',
    )
  }
  const pairs: Pair[] = []
  for (let i = 0; i < words.length; i += 2) pairs.push({ database: words[i] ?? '', url: words[i + 1] ?? '' })
  const urls = pairs.map((pair) => parseLocation(pair.url).url.href)
  if (new Set(urls).size !== urls.length)
    throw new CLIError('usage', 'two databases cannot share one replica', 'give each its own folder')
  return pairs
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
