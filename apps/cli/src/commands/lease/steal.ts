import { Args } from '@oclif/core'
import { stealLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../../base-command.ts'
import { openReplica } from '../../open-replica.ts'
import { leaseJSON, leaseLine } from '../../output/lease.ts'
import type { LeaseJSON } from '../../schema.ts'

export default class LeaseSteal extends BaseCommand {
  static override summary = 'Take the lease from a writer that is dead, at once.'
  static override description =
    'For a machine that is gone for certain. A holder that lives finds out at its next renewal, stops and keeps what it has not uploaded; until then it may acknowledge transactions that are no part of the newest history. Nothing is deleted. Where waiting half a minute does no harm, use lease release.'
  static override examples = [
    {
      description: 'The machine that wrote there is gone',
      command: '<%= config.bin %> lease steal s3://bucket/app',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }

  async run(): Promise<LeaseJSON> {
    const { args } = await this.parse(LeaseSteal)
    await using named = await openReplica(args.url, { drivers: this.drivers, signal: this.signal })
    const record = await stealLease(named.store, { signal: this.signal })
    const result = leaseJSON(named.location.display, record)
    this.log(leaseLine(result))
    return result
  }
}
