import { Flags } from '@oclif/core'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import type { Roster } from '../control/roster.ts'
import { folderFlags, selectionOf } from '../folder-flags.ts'
import { folderFromWords } from '../folders.ts'
import { EventLines } from '../output/event-lines.ts'
import type { PairOptions } from '../pairs.ts'
import { ReplicatingProcess } from '../replicating-process.ts'
import { pairOptionsOf, replicationArgs, replicationFlags } from '../replication-flags.ts'
import { type Work, workOf } from '../replication-work.ts'

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
  static override args = replicationArgs
  static override flags = {
    ...replicationFlags,
    once: Flags.boolean({
      default: false,
      description: 'end when everything committed so far is in the replica',
    }),
    ...folderFlags,
    'state-dir': Flags.string({
      exclusive: ['watch'],
      description: 'folder for local state, default .<database>-sqlstream beside the database',
    }),
    json: Flags.boolean({ default: false, description: 'one JSON object per event on standard output' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replicate)
    const { drivers, signal } = this
    const lines = new EventLines(flags.json, process.stdout)
    const options = pairOptionsOf(flags)
    const words = args.pairs ?? []
    const selection = selectionOf(flags)
    const work: Work =
      flags.watch === undefined
        ? await this.#work(words, options, lines)
        : {
            pairs: [],
            folders: [await folderFromWords(flags.watch, words, drivers, { ...options, ...selection })],
          }
    await using replicating = await ReplicatingProcess.open({
      work,
      flags,
      lines,
      signal,
      defaults: options,
      // Those of the file, where one was read.
      drivers: this.drivers,
      version: this.config.version,
      isBrief: flags.once,
    })
    const { roster } = replicating
    try {
      await roster.start(work.pairs, work.folders)
      replicating.phase = 'running'
      const done = flags.once ? this.#durable(roster) : roster.fenced
      await Promise.race([aborted(signal), done])
    } finally {
      replicating.phase = 'stopping'
      await roster.close()
    }
  }

  async #work(words: readonly string[], options: PairOptions, lines: EventLines): Promise<Work> {
    const work = await workOf(words, options, {
      file: this.configFile,
      usage: 'sqlstream replicate <db> <url>',
      lines,
      drivers: this.drivers,
      useDrivers: (result) => this.useDriversOf(result),
    })
    if (work.exec === undefined) return work
    throw new CLIError(
      'bad-config',
      'the configuration names an application ("exec"), and replicate starts none',
      'sqlstream run starts it, once everything is restored and replicated; or take the key out',
    )
  }

  async #durable(roster: Roster): Promise<void> {
    try {
      await roster.durable()
    } catch (error) {
      // After Ctrl-C the report says what is safe, and the exit code whether that is everything.
      if (!this.signal.aborted) throw error
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
