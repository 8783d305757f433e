import { Args, Flags } from '@oclif/core'
import {
  type Catalog,
  createRetentionPolicy,
  type Replica,
  type RetentionPlan,
  type RetentionPolicy,
  retain,
  surveyRetention,
} from '@sqlstream/replica'
import { withBorrowedLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { parseDuration } from '../duration.ts'
import { parseKeep } from '../keep.ts'
import type { RetentionJSON } from '../maintenance-schema.ts'
import { openReplica, readCatalog } from '../open-replica.ts'
import { retentionJSON, retentionText } from '../output/retention.ts'

export default class Retention extends BaseCommand {
  static override summary = 'Remove what is not needed for the states that are to stay restorable.'
  static override description =
    'Each --keep says how dense states stay up to an age; by default every capture for 1 h, one each 30 s for 24 h, each 5 min for 7 d and each 1 h for 30 d. Files that no such state needs are marked at first, and removed by a later run when the grace is over. No writer may hold the replica meanwhile; --dry-run only reads.'
  static override examples = [
    {
      description: 'What would go, and what would stay restorable?',
      command: '<%= config.bin %> retention /backups/app --dry-run',
    },
    {
      description: 'Every capture for a day, then one each hour for a year',
      command: '<%= config.bin %> retention s3://bucket/app --keep capture:1d --keep 1h:365d',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    'dry-run': Flags.boolean({
      default: false,
      description: 'show what would be done and change nothing',
    }),
    keep: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<every>:<for>',
      description: 'a step and an age, youngest first: capture:1h, 30s:24h, 1h:forever',
    }),
    grace: Flags.string({
      default: '1h',
      helpValue: '<duration>',
      description: 'how long a marked file stays; longer than the longest restore',
    }),
    'min-snapshots': Flags.integer({
      default: 2,
      min: 1,
      description: 'so many newest snapshots stay at any age',
    }),
    'sole-writer': Flags.boolean({
      default: false,
      description: 'you make sure that nothing writes this replica meanwhile: take no lease',
    }),
  }

  async run(): Promise<RetentionJSON> {
    const { args, flags } = await this.parse(Retention)
    const policy = createRetentionPolicy({
      keep: flags.keep?.map(parseKeep),
      grace: parseDuration(flags.grace),
      minSnapshots: flags['min-snapshots'],
    })
    await using named = await openReplica(args.url, { signal: this.signal, drivers: this.drivers })
    const dryRun = flags['dry-run']
    // Also before a lease is taken: a mistyped URL gets no object of ours.
    const work = { policy, catalog: await readCatalog(named, { signal: this.signal }), now: new Date() }
    const plan = dryRun
      ? await this.#plan(named.replica, work)
      : await this.#carryOut(named.replica, work, flags['sole-writer'])
    const report = { source: named.location.display, dryRun, now: work.now, policy, plan }
    this.log(retentionText(report))
    return retentionJSON(report)
  }

  async #plan(replica: Replica, { policy, ...options }: Work): Promise<RetentionPlan> {
    return (await surveyRetention(replica, policy, { ...options, signal: this.signal })).plan
  }

  async #carryOut(replica: Replica, { policy, now }: Work, soleWriter: boolean): Promise<RetentionPlan> {
    const { signal } = this
    const progress = this.progress('removing')
    let removed = 0
    const onRemoved = (files: readonly unknown[]): void => {
      removed += files.length
      progress.step(`${removed} files`)
    }
    try {
      // Listed again under the lease: until then somebody else might write.
      const work = (lease: Parameters<typeof retain>[1]): ReturnType<typeof retain> =>
        retain(replica, lease, policy, { now, onRemoved, signal })
      return (await withBorrowedLease(replica.store, work, { soleWriter, signal })).plan
    } finally {
      progress.end()
    }
  }
}

interface Work {
  readonly policy: RetentionPolicy
  readonly catalog: Catalog
  readonly now: Date
}
