import { Args, Flags } from '@oclif/core'
import { type FollowerEvent, openFollower } from '@sqlstream/follower'
import { formatTXID } from '@sqlstream/ltx'
import { refuseIfOpen } from '@sqlstream/replica-core'
import { redactText } from '@sqlstream/storage'
import { BaseCommand } from '../base-command.ts'
import { parseDuration } from '../duration.ts'
import type { FollowEventJSON } from '../follow-schema.ts'
import { openReplica } from '../open-replica.ts'
import { followEventJSON, followEventLine, followStoppedJSON } from '../output/follow.ts'

export default class Follow extends BaseCommand {
  static override enableJsonFlag = false
  static override summary = 'Keep a local copy of a replicated database at its newest state.'
  static override description =
    'Restores the newest state and then applies each transaction as it arrives, until it is stopped. Any number of processes may read the copy with any SQLite, read-only; they see whole transactions, and after a crash SQLite itself goes back to the last one. Nobody may write to it. Where files are missing it goes on by merges or a snapshot; a replica with another history is an error. Its state lies in .<file>-follow beside the copy. With --json each event is one line of JSON.'
  static override examples = [
    { description: 'A copy for reports', command: '<%= config.bin %> follow s3://bucket/app reports.db' },
    {
      description: 'Bring a copy up to date, then end',
      command: '<%= config.bin %> follow /backups/app copy.db --once',
    },
    {
      description: 'Say so when the copy may be older than 10 seconds',
      command: '<%= config.bin %> follow /backups/app copy.db --max-lag 10s',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
    file: Args.string({ ignoreStdin: true, required: true, description: 'path of the copy' }),
  }
  static override flags = {
    interval: Flags.string({
      default: '500ms',
      helpValue: '<duration>',
      description: 'time between two looks for something new, one request each',
    }),
    'max-lag': Flags.string({
      helpValue: '<duration>',
      description: 'say so when the copy has not been known to be the newest state for so long',
    }),
    once: Flags.boolean({ default: false, description: 'end when the copy holds what is there now' }),
    force: Flags.boolean({ default: false, description: 'replace a file that is there, and begin anew' }),
    rebase: Flags.boolean({
      default: false,
      description:
        'when the replica has another history than the copy, take that over; only pages that differ are written',
    }),
    json: Flags.boolean({ default: false, description: 'one JSON object per event on standard output' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Follow)
    const { signal } = this
    const everyMs = parseDuration(flags.interval)
    const maxLagMs = flags['max-lag'] === undefined ? undefined : parseDuration(flags['max-lag'])
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    const source = { replica: named.location.display, file: args.file }
    const onEvent = (event: FollowerEvent): void => {
      if (flags.json) this.#line(followEventJSON(source, new Date(), event))
      else this.#say(followEventLine(event))
    }
    const progress = this.progress('restoring')
    const follower = await openFollower({
      replica: named.replica,
      file: args.file,
      poll: flags.once ? false : { everyMs },
      maxLagMs,
      replace: flags.force,
      mayReplace: refuseIfOpen,
      onDiverged: flags.rebase ? 'rebase' : 'refuse',
      onEvent,
      onProgress: ({ bytes, totalBytes }) => {
        if (!flags.json) progress.update(bytes, totalBytes)
      },
      signal,
    }).finally(() => progress.end())
    try {
      if (flags.once) await follower.catchUp({ signal })
      else await follower.ended
    } finally {
      const { pos } = follower.status
      await follower.close()
      if (flags.json) this.#line(followStoppedJSON(source, new Date(), pos))
      else this.log(`stopped at TXID ${formatTXID(pos.txid)}`)
    }
  }

  #say(line: string | undefined): void {
    if (line !== undefined) this.log(line)
  }

  /** One write per line: a reader of a pipe never sees half of one. */
  #line(event: FollowEventJSON): void {
    process.stdout.write(`${redactText(JSON.stringify(event))}\n`)
  }
}
