import { randomUUID } from 'node:crypto'
import { Args, Flags } from '@oclif/core'
import { formatTXID } from '@sqlstream/ltx'
import { forkReplica, type LTXFile } from '@sqlstream/replica'
import { withBorrowedLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import type { ForkJSON } from '../fork-schema.ts'
import { holdState } from '../hold-state.ts'
import { openReplica, readCatalog } from '../open-replica.ts'
import { fileJSON } from '../output/json.ts'
import { formatBytes, formatCount } from '../output/units.ts'
import { planFrom } from '../restore-plan.ts'
import { parseRestoreTarget } from '../restore-target.ts'
import { stateFlags } from '../state-flags.ts'

export default class Fork extends BaseCommand {
  static override summary = 'Begin a new replica with a state of another one.'
  static override description =
    'Copies the files that lead to the newest state, or to a past one, to a place where nothing is: byte for byte, without a local file: by the store itself where it can copy, else through this machine. From then on the two have nothing to do with each other: restore the fork, change it, replicate it there. TXIDs go on from those of the original. The original is only read. Stopped at any point, it goes on the next time.'
  static override examples = [
    {
      description: 'A copy of production for a try',
      command: '<%= config.bin %> fork s3://bucket/app s3://bucket/try',
    },
    {
      description: 'As it was before the migration',
      command: '<%= config.bin %> fork s3://bucket/app /backups/before --at 2026-11-24T03:15:00Z',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
    'new-url': Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the new one' }),
  }
  static override flags = {
    ...stateFlags('begin with'),
    'dry-run': Flags.boolean({ default: false, description: 'say what would be copied, write nothing' }),
    'sole-writer': Flags.boolean({
      default: false,
      description: 'you make sure that nothing else writes the new replica meanwhile: take no lease',
    }),
  }

  async run(): Promise<ForkJSON> {
    const { args, flags } = await this.parse(Fork)
    const { signal, drivers } = this
    const start = performance.now()
    await using source = await openReplica(args.url, { signal, drivers })
    await using target = await openReplica(args['new-url'], { signal, drivers })
    if (source.location.url.href === target.location.url.href) {
      throw new CLIError('usage', 'a replica is no fork of itself', 'name a place where nothing is')
    }
    const state = parseRestoreTarget({ txid: flags.txid, timestamp: flags.at })
    const planned = await planFrom(source.replica, await readCatalog(source, { signal }), state, { signal })
    const held = await holdState(source.replica, planned, { signal })
    const progress = this.progress('copying')
    try {
      const { plan } = held.planned
      const last = plan.files.at(-1) as LTXFile
      const timestamp = plan.timestamp ?? new Date((await source.replica.header(last, { signal })).timestamp)
      const { files, bytesCopiedByStore } = flags['dry-run']
        ? { files: plan.files, bytesCopiedByStore: 0 }
        : await withBorrowedLease(
            target.store,
            (lease) =>
              forkReplica(source.replica, plan, target.replica, target.replica.writer(lease), {
                databaseId: randomUUID(),
                signal,
                onCopied: (bytes, totalBytes) => progress.update(bytes, totalBytes),
              }),
            { signal, soleWriter: flags['sole-writer'] },
          )
      progress.end()
      const json: ForkJSON = {
        dryRun: flags['dry-run'],
        source: source.location.display,
        target: target.location.display,
        txid: formatTXID(plan.txid),
        timestamp: timestamp.toISOString(),
        files: files.map(fileJSON),
        bytes: files.reduce((sum, { size }) => sum + size, 0),
        bytesCopiedByStore,
        milliseconds: Math.round(performance.now() - start),
      }
      const what = `${formatCount(json.files.length, 'file')}, ${formatBytes(json.bytes)}`
      const by = bytesCopiedByStore === 0 ? '' : `, ${formatBytes(bytesCopiedByStore)} by the store itself`
      this.log(
        json.dryRun
          ? `${json.target} would begin with TXID ${json.txid} of ${json.timestamp}: ${what} to copy`
          : `${json.target} begins with TXID ${json.txid} of ${json.timestamp}: ${what} copied${by}`,
      )
      return json
    } finally {
      progress.end()
      await held.release()
    }
  }
}
