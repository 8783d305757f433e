import { Args, Flags } from '@oclif/core'
import { formatTXID } from '@sqlstream/ltx'
import { makeSnapshot, type Replica } from '@sqlstream/replica'
import { withBorrowedLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import type { MergeJSON, SnapshotJSON } from '../maintenance-schema.ts'
import { openReplica, readCatalog } from '../open-replica.ts'
import { mergedJSON, mergeLine } from '../output/merges.ts'

export default class Snapshot extends BaseCommand {
  static override summary = 'Make a snapshot of the newest state, from what the replica holds.'
  static override description =
    'A restore then reads one file. The database is not needed and not touched: the snapshot is a merge of the files that lead to the newest state, and appears when every checksum was right. No writer may hold the replica meanwhile.'
  static override examples = [
    {
      description: 'Before the bucket is archived',
      command: '<%= config.bin %> snapshot s3://bucket/app',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    'sole-writer': Flags.boolean({
      default: false,
      description: 'you make sure that nothing writes this replica meanwhile: take no lease',
    }),
  }

  async run(): Promise<SnapshotJSON> {
    const { args, flags } = await this.parse(Snapshot)
    const { signal } = this
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    const { replica } = named
    // Also before a lease is taken: a mistyped URL gets no object of ours.
    await readCatalog(named, { signal })
    const merges: MergeJSON[] = []
    const work = async (lease: Parameters<Replica['writer']>[0]): Promise<string> => {
      const catalog = await readCatalog(named, { signal })
      const { txid } = await makeSnapshot(replica, replica.writer(lease), catalog, {
        signal,
        onMerged: (merged) => {
          const merge = mergedJSON(merged)
          merges.push(merge)
          this.log(mergeLine(merge))
        },
      })
      return formatTXID(txid)
    }
    const txid = await withBorrowedLease(replica.store, work, { soleWriter: flags['sole-writer'], signal })
    const source = named.location.display
    const existed = merges.length === 0
    this.log(
      existed
        ? `${source}: there is a snapshot of the newest state, TXID ${txid}, already`
        : `${source}: the newest state, TXID ${txid}, is a snapshot now`,
    )
    return { source, txid, existed, merges }
  }
}
