import { Args, Flags } from '@oclif/core'
import {
  type Catalog,
  type CompactionPolicy,
  compact,
  type Replica,
  surveyCompaction,
} from '@sqlstream/replica'
import { withBorrowedLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { parseLevels } from '../levels.ts'
import type { CompactJSON, MergeJSON } from '../maintenance-schema.ts'
import { openReplica, readCatalog } from '../open-replica.ts'
import { mergedJSON, mergeLine, plannedMergeJSON } from '../output/merges.ts'
import { formatCount } from '../output/units.ts'

export default class Compact extends BaseCommand {
  static override summary =
    'Merge the files of a replica into levels and snapshots, so that restores read fewer.'
  static override description =
    'Does what replicate does by itself, from the replica alone: files of one slot of time become one file of the next level, and a snapshot is made when what came after the last one has as many bytes, or after a day. Nothing is removed: retention does that. Stopped at any point, it goes on from there the next time. No writer may hold the replica meanwhile; --dry-run only reads.'
  static override examples = [
    { description: 'What would be merged?', command: '<%= config.bin %> compact /backups/app --dry-run' },
    {
      description: 'Two levels: one file each minute, then one each hour',
      command: '<%= config.bin %> compact s3://bucket/app --levels 1m,1h',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    levels: Flags.string({
      default: '30s,5m,1h',
      helpValue: '<duration,...>',
      description: 'span of the files of each level, level 1 first; the same that the writer has',
    }),
    'dry-run': Flags.boolean({ default: false, description: 'show what would be merged and change nothing' }),
    'sole-writer': Flags.boolean({
      default: false,
      description: 'you make sure that nothing writes this replica meanwhile: take no lease',
    }),
  }

  async run(): Promise<CompactJSON> {
    const { args, flags } = await this.parse(Compact)
    const policy = { levels: parseLevels(flags.levels) }
    const dryRun = flags['dry-run']
    await using named = await openReplica(args.url, { signal: this.signal, drivers: this.drivers })
    // Also before a lease is taken: a mistyped URL gets no object of ours.
    const catalog = await readCatalog(named, { signal: this.signal })
    const { merges, nextAt } = dryRun
      ? await this.#plan(named.replica, policy, catalog)
      : await this.#carryOut(named.replica, policy, flags['sole-writer'])
    const result: CompactJSON = {
      source: named.location.display,
      dryRun,
      merges,
      ...(nextAt === undefined ? {} : { nextAt: new Date(nextAt).toISOString() }),
    }
    this.#logEnd(result)
    return result
  }

  async #plan(replica: Replica, policy: CompactionPolicy, catalog: Catalog): Promise<Outcome> {
    const plan = await surveyCompaction(replica, catalog, { policy, now: Date.now(), signal: this.signal })
    const merges = plan.merges.map(plannedMergeJSON)
    for (const merge of merges) this.log(mergeLine(merge))
    return { merges, nextAt: plan.nextAt }
  }

  async #carryOut(replica: Replica, policy: CompactionPolicy, soleWriter: boolean): Promise<Outcome> {
    const { signal } = this
    const merges: MergeJSON[] = []
    const work = async (lease: Parameters<Replica['writer']>[0]): Promise<Outcome> => {
      // Listed again under the lease: until then somebody else might write.
      const { nextAt } = await compact(replica, replica.writer(lease), await replica.catalog({ signal }), {
        policy,
        signal,
        onMerged: (merged) => {
          const merge = mergedJSON(merged)
          merges.push(merge)
          this.log(mergeLine(merge))
        },
      })
      return { merges, nextAt }
    }
    return await withBorrowedLease(replica.store, work, { soleWriter, signal })
  }

  #logEnd({ source, dryRun, merges, nextAt }: CompactJSON): void {
    const next = nextAt === undefined ? '' : `; there may be more from ${nextAt} on`
    const done =
      merges.length === 0
        ? 'nothing to merge'
        : `${formatCount(merges.length, 'merge')}${dryRun ? ' to do' : ''}`
    this.log(`${source}: ${done}${next}`)
  }
}

interface Outcome {
  readonly merges: MergeJSON[]
  readonly nextAt: number | undefined
}
