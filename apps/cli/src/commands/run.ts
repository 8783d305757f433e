import { Flags } from '@oclif/core'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import { parseDuration } from '../duration.ts'
import { describeFailure } from '../failure.ts'
import { EventLines } from '../output/event-lines.ts'
import { Progress } from '../output/progress.ts'
import { type RunNews, runNewsJSON, runNewsLine } from '../output/run-events.ts'
import type { PairOptions } from '../pairs.ts'
import { ReplicatingProcess } from '../replicating-process.ts'
import { pairOptionsOf, replicationArgs, replicationFlags } from '../replication-flags.ts'
import { type Work, workOf } from '../replication-work.ts'
import { assertFound } from '../run/application.ts'
import { Arrivals } from '../run/arrivals.ts'
import { DrainLimit } from '../run/drain-limit.ts'
import { exitCodeOfEnd, failureOfRun, notUploaded } from '../run/outcome.ts'
import { prepareDatabases } from '../run/prepare.ts'
import { Supervision } from '../run/supervision.ts'

const USAGE = 'sqlstream run <db> <url> -- <command> [args...]'

export default class Run extends BaseCommand {
  static override enableJsonFlag = false
  static override summary = 'Restore what is missing, replicate, and run an application.'
  static override description =
    'For containers and services. A database whose file is missing is restored to its newest state first; where the store says that there is no backup, the application makes it. The application is started when everything is restored, proven and replicated, and not before; behind -- it is started without a shell, with the input, output and environment of this command. Signals are handed on to it. When it ends, everything that it has committed is uploaded, and its exit code is that of this command. If another writer takes over a database, the application is stopped, and the exit code is 12. What this command itself says goes to standard error.'
  static override usage =
    'run [DATABASE URL ...] [--config <file>] [--wait] [--stop-timeout <duration>] [--drain-timeout <duration>] [--metrics [<host>:]<port>] [--json] [options of replicate] -- <command> [args...]'
  static override examples = [
    {
      description: 'An application and its database, in a container that begins empty',
      command: '<%= config.bin %> run app.db s3://bucket/app -- node server.js',
    },
    {
      description: 'A deployment: wait until the former instance has ended, then restore what it has written',
      command: '<%= config.bin %> run app.db s3://bucket/app --wait --metrics 0.0.0.0:9090 -- ./server',
    },
    {
      description: 'Databases, and the application too, from a configuration file',
      command: '<%= config.bin %> run --config sqlstream.yml',
    },
  ]
  static override args = replicationArgs
  static override flags = {
    ...replicationFlags,
    'state-dir': Flags.string({
      description: 'folder for local state, default .<database>-sqlstream beside the database',
    }),
    'stop-timeout': Flags.string({
      default: '10s',
      description:
        'when the application is told to end because another writer has taken over: how long it may take before it is killed',
    }),
    'drain-timeout': Flags.string({
      default: '30s',
      description: 'after the end of the application: give up when nothing could be uploaded for so long',
    }),
    json: Flags.boolean({ default: false, description: 'one JSON object per event on standard error' }),
  }
  #json = false

  async run(): Promise<void> {
    const { words, command: typed } = splitArguments(this.argv)
    const { args, flags } = await this.parse(Run, words)
    this.#json = flags.json
    const lines = new EventLines(flags.json, process.stderr, 'sqlstream: ')
    const news = (news: RunNews): void => lines.event(runNewsJSON(news, new Date()), runNewsLine(news))
    // Whoever has read our lines may go; the application and its backup go on.
    process.stderr.on('error', () => undefined)
    using supervision = new Supervision({ stopTimeoutMs: parseDuration(flags['stop-timeout']), news })
    this.takeSignals()
    using limit = new DrainLimit(parseDuration(flags['drain-timeout']))
    const options = pairOptionsOf(flags)
    const work = await this.#work(args.pairs ?? [], options, lines)
    const command = typed ?? work.exec
    if (command === undefined) throw new CLIError('usage', 'no application to run', USAGE)
    assertFound(command[0] ?? '')
    await using replicating = await ReplicatingProcess.open({
      work,
      flags,
      lines,
      defaults: options,
      drivers: this.drivers,
      version: this.config.version,
      signal: supervision.preparing,
      onEvent: limit.onEvent,
      onFenced: supervision.refuse,
    })
    const { roster, runOptions } = replicating
    try {
      const missing = await prepareDatabases(work.pairs, {
        roster,
        run: runOptions,
        news,
        onPhase: (phase) => {
          replicating.phase = phase
        },
        progress: () => new Progress('restoring', flags.json ? { write: () => undefined } : process.stderr),
      })
      const arrivals = new Arrivals(missing, { news, onRefused: supervision.refuse })
      await supervision.start(command)
      replicating.phase = 'running'
      arrivals.begin()
      const end = await supervision.ended()
      replicating.phase = 'stopping'
      limit.begin()
      const late = await arrivals.end(limit.signal)
      const left = new Map([...late, ...(await roster.drain(limit.signal))])
      const failure = failureOfRun(end, supervision.refusal, left)
      if (failure !== undefined) throw failure
      if (left.size > 0) this.#warn(notUploaded(left), lines)
      process.exitCode = exitCodeOfEnd(end)
    } finally {
      replicating.phase = 'stopping'
      await roster.close()
    }
  }

  async #work(words: readonly string[], options: PairOptions, lines: EventLines): Promise<Work> {
    const work = await workOf(words, options, {
      file: this.configFile,
      usage: USAGE,
      lines,
      drivers: this.drivers,
      useDrivers: (result) => this.useDriversOf(result),
    })
    if (work.folders.length === 0) return work
    throw new CLIError(
      'bad-config',
      'the configuration has folders, and run does not restore what is missing in one',
      'sqlstream restore --tree and then sqlstream replicate do; or name the databases',
    )
  }

  /** What is not safe, where the exit code is the application's. */
  #warn(error: CLIError, lines: EventLines): void {
    const { exit: _, ...shown } = describeFailure(error)
    if (lines.json) process.stderr.write(`${JSON.stringify({ error: shown })}\n`)
    else lines.say(`warning: ${shown.message} (${shown.code}); ${shown.hint}`)
  }

  protected override async catch(error: Error): Promise<void> {
    if (!this.#json) return await super.catch(error)
    const { exit, ...shown } = describeFailure(error)
    process.exitCode = exit
    process.stderr.write(`${JSON.stringify({ error: shown })}\n`)
  }
}

/** Ours, and behind `--` the application's: none of its words is to be taken for one of ours. */
function splitArguments(argv: readonly string[]): {
  readonly words: string[]
  readonly command: readonly string[] | undefined
} {
  const at = argv.indexOf('--')
  if (at === -1) return { words: [...argv], command: undefined }
  const command = argv.slice(at + 1)
  return { words: argv.slice(0, at), command: command.length === 0 ? undefined : command }
}
