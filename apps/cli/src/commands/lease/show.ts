import { Args } from '@oclif/core'
import { showLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../../base-command.ts'
import { openReplica } from '../../open-replica.ts'
import { leaseJSON, leaseLine } from '../../output/lease.ts'
import type { LeaseJSON } from '../../schema.ts'

export default class LeaseShow extends BaseCommand {
  static override summary = 'Show who may write a replica.'
  static override description =
    'A lease in the replica says which process writes it. A held one whose time is over may be taken: its holder rests, or is dead.'
  static override examples = [
    { description: 'Who writes there', command: '<%= config.bin %> lease show s3://bucket/app' },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }

  async run(): Promise<LeaseJSON> {
    const { args } = await this.parse(LeaseShow)
    await using named = await openReplica(args.url, { drivers: this.drivers, signal: this.signal })
    const record = await showLease(named.store, { signal: this.signal })
    const result = leaseJSON(named.location.display, record)
    this.log(leaseLine(result))
    return result
  }
}
