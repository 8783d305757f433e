import { Args } from '@oclif/core'
import { releaseLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../../base-command.ts'
import { openReplica } from '../../open-replica.ts'
import { leaseJSON, leaseLine } from '../../output/lease.ts'
import type { LeaseJSON } from '../../schema.ts'

export default class LeaseRelease extends BaseCommand {
  static override summary = 'Free the lease of a writer that has ended without giving it back.'
  static override description =
    'Watches the lease for its time to live, half a minute by default, and frees it if its holder shows no life; a holder that lives keeps it, and this ends with an error.'
  static override examples = [
    { description: 'A writer was killed', command: '<%= config.bin %> lease release s3://bucket/app' },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }

  async run(): Promise<LeaseJSON> {
    const { args } = await this.parse(LeaseRelease)
    await using named = await openReplica(args.url, { drivers: this.drivers, signal: this.signal })
    const progress = this.progress('lease')
    const record = await releaseLease(named.store, {
      signal: this.signal,
      onWait: (holder) => progress.step(`watching ${holder.owner}`),
    })
    progress.end()
    const result = leaseJSON(named.location.display, record)
    this.log(leaseLine(result))
    return result
  }
}
