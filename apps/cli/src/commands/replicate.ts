import { join, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { redactText } from '@sqlstream/storage'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import type { MetricsConfig } from '../config/config.ts'
import { Roster } from '../control/roster.ts'
import { ControlServer } from '../control/server.ts'
import { ownRuntimeFolder } from '../control/socket.ts'
import { parseDuration } from '../duration.ts'
import { describeFailure } from '../failure.ts'
import { folderFlags, selectionOf } from '../folder-flags.ts'
import type { WatchedFolder } from '../folder-replication.ts'
import { folderFromWords, foldersFromConfig } from '../folders.ts'
import { budgetsOf, type Limits, limitFlags, limitsOf, overBudgetJSON, overBudgetLine } from '../limits.ts'
import { MetricsEndpoint, parseListenAddress } from '../metrics/endpoint.ts'
import type { HoldSummary } from '../metrics/hold-times.ts'
import { Metrics } from '../metrics/metrics.ts'
import { configWarningJSON } from '../output/events.ts'
import { type PairOptions, pairsFromConfig, pairsFromWords } from '../pairs.ts'
import type { Pair } from '../replication.ts'
import type { EventJSON } from '../schema.ts'
import { verificationOf } from '../verification-flags.ts'

export default class Replicate extends BaseCommand {
  static override enableJsonFlag = false
  static override summary = 'Stream every commit of a live database to a replica.'
  static override description =
    'Runs beside the application until it is stopped. Ctrl-C uploads what is left and says what is safe; a second Ctrl-C stops at once and loses nothing that was reported as uploaded. Nothing is written into the database. A lease in the replica keeps a second writer out. Beside uploading it merges files into levels and snapshots, and removes what no state needs that is to stay restorable. With --watch it replicates every database of a folder, also those that come later. Without arguments it replicates what the configuration file says. With --json each event is one line of JSON.'
  static override usage =
    'replicate [DATABASE URL ...] [--watch <dir> URL] [--config <file>] [--sync-interval <duration>] [--once] [--wait] [--on-behind refuse|snapshot] [--on-diverged refuse|snapshot] [--sole-writer] [--no-compaction] [--no-retention] [--verify-every <duration> --verify-budget <size>] [--state-dir <path>] [--max-spool <size>] [--disk-reserve <size>] [--max-uploads <n>] [--max-merges <n>] [--max-requests-per-second <n>] [--monthly-requests <n>] [--socket <path> | --no-socket] [--metrics [<host>:]<port> [--metrics-per-database]] [--json]'
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
      description: 'All databases of a configuration',
      command: '<%= config.bin %> replicate --config sqlstream.yml',
    },
    {
      description: 'Every database of a folder, each to its own place',
      command: '<%= config.bin %> replicate --watch /srv/tenants s3://bucket/{relpath}',
    },
    {
      description: 'Upload everything that is committed, then end',
      command: '<%= config.bin %> replicate app.db /backups/app --once',
    },
  ]
  static override args = {
    pairs: Args.string({
      ignoreStdin: true,
      multiple: true,
      description:
        'database path and replica URL, as often as you like; default: those of the configuration file',
    }),
  }
  static override flags = {
    'sync-interval': Flags.string({
      description: 'longest time between a commit and its capture, default 1s',
    }),
    once: Flags.boolean({
      default: false,
      description: 'end when everything committed so far is in the replica',
    }),
    'on-behind': Flags.option({ options: ['refuse', 'snapshot'] as const })({
      description:
        'when the replica is ahead of this database: refuse (default), or start anew from a snapshot',
    }),
    'on-diverged': Flags.option({ options: ['refuse', 'snapshot'] as const })({
      description:
        'when the replica holds another history and this database was never replicated from here: refuse (default), or make its state the newest',
    }),
    wait: Flags.boolean({
      default: false,
      description:
        'while another writer holds the replica, wait for its end; otherwise only for as long as it shows no life',
    }),
    'lease-ttl': Flags.string({
      description: 'how long a writer that shows no life keeps others out, default 30s',
    }),
    'sole-writer': Flags.boolean({
      default: false,
      description: 'take no lease: you answer for it that nobody else writes there',
    }),
    'no-compaction': Flags.boolean({
      default: false,
      description: 'merge nothing here: something else runs sqlstream compact',
    }),
    'no-retention': Flags.boolean({
      default: false,
      description: 'remove nothing here: something else runs sqlstream retention, or nothing ever goes',
    }),
    'verify-every': Flags.string({
      description:
        'time between two proofs that the newest state can be restored, each of which reads it all, for example 24h; default: those of the configuration file, else none',
      dependsOn: ['verify-budget'],
    }),
    'verify-budget': Flags.string({
      description: 'most bytes that are read for that in 24 hours and for one database, for example 10GB',
      dependsOn: ['verify-every'],
    }),
    ...folderFlags,
    ...limitFlags,
    'state-dir': Flags.string({
      exclusive: ['watch'],
      description: 'folder for local state, default .<database>-sqlstream beside the database',
    }),
    socket: Flags.string({
      env: 'SQLSTREAM_SOCKET',
      description:
        'where commands are taken while it runs; default: "socket" of the configuration file, else one for each process of this user',
    }),
    'no-socket': Flags.boolean({ default: false, description: 'take no commands while it runs' }),
    metrics: Flags.string({
      description: 'offer figures to Prometheus at this port of this machine, or at this address and port',
    }),
    'metrics-per-database': Flags.boolean({
      default: false,
      description: 'a number for each database too, of which there may be many',
    }),
    json: Flags.boolean({ default: false, description: 'one JSON object per event on standard output' }),
  }
  #json = false

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replicate)
    this.#json = flags.json
    const options: PairOptions = {
      ...(flags['sync-interval'] === undefined
        ? {}
        : { syncIntervalMs: parseDuration(flags['sync-interval']) }),
      ...(flags['on-behind'] === undefined ? {} : { onBehind: flags['on-behind'] }),
      ...(flags['on-diverged'] === undefined ? {} : { onDiverged: flags['on-diverged'] }),
      ...(flags['state-dir'] === undefined ? {} : { stateDir: flags['state-dir'] }),
      maintenance: {
        ...(flags['no-compaction'] ? { compaction: 'never' } : {}),
        ...(flags['no-retention'] ? { retention: 'never' } : {}),
        ...verificationOf(flags['verify-every'], flags['verify-budget']),
      },
      lease: {
        ...(flags.wait ? { wait: 'forever' } : {}),
        ...(flags['lease-ttl'] === undefined ? {} : { ttlMs: parseDuration(flags['lease-ttl']) }),
        ...(flags['sole-writer'] ? { soleWriter: true } : {}),
      },
    }
    const words = args.pairs ?? []
    const work: Work =
      flags.watch === undefined
        ? await this.#work(words, options)
        : {
            pairs: [],
            folders: [
              await folderFromWords(flags.watch, words, this.drivers, { ...options, ...selectionOf(flags) }),
            ],
          }
    const figures = flags.metrics === undefined ? work.metrics : { listen: flags.metrics }
    const perDatabase = flags['metrics-per-database'] || (work.metrics?.perDatabase ?? false)
    const metrics = new Metrics({ version: this.config.version, perDatabase })
    const limits = limitsOf(flags, work.limits)
    const runOptions = {
      budgets: budgetsOf(limits, (estimate) => {
        if (this.#json) this.#line(overBudgetJSON(estimate, limits))
        else this.log(overBudgetLine(estimate, limits))
      }),
      drivers: this.drivers,
      signal: this.signal,
      json: this.#json,
      say: (line: string) => this.log(line),
      tell: (event: EventJSON) => this.#line(event),
      activity: metrics.activity,
    }
    const { stateDir: _stateDir, ...defaults } = options
    const roster = new Roster(runOptions, defaults)
    const text = (): string => metrics.text(roster.rows())
    await using _control = await this.#control(
      { text, writeLocks: () => metrics.activity.writeLocks },
      roster,
      flags.socket ?? work.socket,
      flags,
    )
    await using _metrics = figures && (await this.#endpoint(text, figures.listen))
    try {
      await roster.start(work.pairs, work.folders)
      const done = flags.once ? this.#durable(roster) : roster.fenced
      await Promise.race([aborted(this.signal), done])
    } finally {
      await roster.close()
    }
  }

  /** The socket comes first: two processes that were given one path must not both begin. */
  async #control(
    { text, writeLocks }: { readonly text: () => string; readonly writeLocks: () => HoldSummary },
    roster: Roster,
    named: string | undefined,
    { once, 'no-socket': off }: { readonly once: boolean; readonly 'no-socket': boolean },
  ): Promise<ControlServer | undefined> {
    // One that is about to end is not asked anything, unless somebody said where.
    if (off || named === 'never' || (once && named === undefined)) return undefined
    const context = { roster, version: this.config.version, metrics: text, writeLocks }
    if (named !== undefined) return await ControlServer.open(context, resolve(named))
    try {
      return await ControlServer.open(context, join(await ownRuntimeFolder(), `${process.pid}.sock`))
    } catch (error) {
      // Nobody asked for it, and a backup without is better than none.
      const { message, code } = describeFailure(error)
      const why = `no commands will be taken while this runs: ${message}`
      if (this.#json)
        this.#line({ time: new Date().toISOString(), type: 'control-warning', code, message: why })
      else this.log(`warning: ${why} (${code})`)
      return undefined
    }
  }

  async #endpoint(text: () => string, listen: string): Promise<MetricsEndpoint> {
    const endpoint = await MetricsEndpoint.open(text, parseListenAddress(listen))
    const { url } = endpoint
    if (this.#json) this.#line({ time: new Date().toISOString(), type: 'metrics', url })
    else this.log(`metrics at ${url}`)
    return endpoint
  }

  async #work(words: readonly string[], options: PairOptions): Promise<Work> {
    if (words.length > 0) return { pairs: await pairsFromWords(words, this.drivers, options), folders: [] }
    const { noteText, readConfigFile, usableConfig } = await import('../config/read-config.ts')
    const result = await readConfigFile(this.configFile)
    if (result === undefined) {
      throw new CLIError(
        'usage',
        'nothing to replicate: no database and URL, and no configuration file',
        'sqlstream replicate <db> <url>, or write a sqlstream.yml',
      )
    }
    const config = usableConfig(result)
    this.useDriversOf(result)
    for (const warning of result.warnings) {
      const { file } = result
      if (this.#json) this.#line(configWarningJSON(file, new Date(), warning))
      else
        this.log(
          `warning: ${noteText(file, warning)}${warning.hint === undefined ? '' : `; ${warning.hint}`}`,
        )
    }
    const pairs = await pairsFromConfig(config, this.drivers, options)
    const { stateDir: _, ...rest } = options
    const { socket, metrics, limits } = config
    return {
      pairs,
      folders: await foldersFromConfig(config, this.drivers, rest),
      ...(socket !== undefined && { socket }),
      ...(metrics !== undefined && { metrics }),
      ...(limits !== undefined && { limits }),
    }
  }

  async #durable(roster: Roster): Promise<void> {
    try {
      await roster.durable()
    } catch (error) {
      // After Ctrl-C the report says what is safe, and the exit code whether that is everything.
      if (!this.signal.aborted) throw error
    }
  }

  /** One write per line: a reader of a pipe never sees half of one. */
  #line(event: unknown): void {
    process.stdout.write(`${redactText(JSON.stringify(event))}\n`)
  }
}

/** What is to be replicated. */
interface Work {
  readonly pairs: readonly Pair[]
  readonly folders: readonly WatchedFolder[]
  readonly socket?: string
  readonly metrics?: MetricsConfig
  readonly limits?: Limits
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
