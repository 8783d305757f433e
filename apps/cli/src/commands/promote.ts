import { Args, Flags } from '@oclif/core'
import { type Follower, openFollower } from '@sqlstream/follower'
import { formatChecksum, formatTXID } from '@sqlstream/ltx'
import { isReplicaError, type Lease, type ReplicaWriter } from '@sqlstream/replica'
import { adoptRestored, type KeptFiles, markTakeover, withTakenLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { parseDuration } from '../duration.ts'
import type { PromoteJSON } from '../follow-schema.ts'
import { openReplica, readCatalog } from '../open-replica.ts'
import { keptLine } from '../output/restore-report.ts'

export default class Promote extends BaseCommand {
  static override summary = 'Make a copy that follows the database itself, and shut its former writer out.'
  static override description =
    'Takes the lease of the replica, applies everything that is in it, and turns the copy into a database in WAL mode that replicate goes on from without another upload of it. A former writer that still lives finds itself fenced, stops, and keeps what it has not uploaded. One that shows life is waited for with --wait; without it the command refuses. Stop sqlstream follow first. Where there is no copy yet, one is restored.'
  static override examples = [
    {
      description: 'The old machine is gone: this one takes over',
      command:
        '<%= config.bin %> promote s3://bucket/app app.db && <%= config.bin %> replicate app.db s3://bucket/app',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
    file: Args.string({ ignoreStdin: true, required: true, description: 'path of the copy' }),
  }
  static override flags = {
    wait: Flags.boolean({
      default: false,
      description:
        'while the former writer shows life, wait for its end; otherwise only for as long as it shows none',
    }),
    'lease-ttl': Flags.string({
      description:
        'how long this command may show no life before another one may take the lease from it, default 30s',
    }),
    'sole-writer': Flags.boolean({
      default: false,
      description: 'you make sure that nothing writes this replica any more: take no lease',
    }),
  }

  async run(): Promise<PromoteJSON> {
    const { args, flags } = await this.parse(Promote)
    const { signal } = this
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    // Before a lease is taken: a mistyped URL gets no object of ours, and a copy of another database shuts nobody out.
    await readCatalog(named, { signal })
    const follower = await openFollower({ replica: named.replica, file: args.file, poll: false, signal })
    await using _ = follower
    await follower.catchUp({ signal })
    const ttl = flags['lease-ttl']
    const work = async (lease: Lease): Promise<Omit<PromoteJSON, 'source' | 'file'>> => {
      await this.#shutOut(follower, named.replica.writer(lease))
      return await this.#makePrimary(follower, args.file, lease)
    }
    const result = await withTakenLease(named.store, work, {
      signal,
      soleWriter: flags['sole-writer'],
      wait: flags.wait ? 'forever' : 'if-silent',
      ...(ttl !== undefined && { ttlMs: parseDuration(ttl) }),
      onWait: ({ owner, expires }) =>
        process.stderr.write(`waiting: the replica is held by ${owner} until ${expires} unless it renews\n`),
    })
    const json: PromoteJSON = { source: named.location.display, file: args.file, ...result }
    this.log(`${args.file} is the database now, at TXID ${json.txid} of ${json.timestamp}`)
    if (json.kept !== undefined) this.log(keptLine(json.kept))
    this.log(`go on with: sqlstream replicate ${args.file} ${named.location.display}`)
    return json
  }

  /** Until the lease was ours, the former writer could upload, and what it has sent may still arrive: it collides with a file of ours then. */
  async #shutOut(follower: Follower, writer: ReplicaWriter): Promise<void> {
    const { signal } = this
    for (;;) {
      await follower.catchUp({ signal })
      try {
        await markTakeover(writer, follower.head(), { signal })
        break
      } catch (error) {
        if (!isReplicaError(error, 'fenced') || writer.lease.signal.aborted) throw error
      }
    }
    await follower.catchUp({ signal })
  }

  async #makePrimary(
    follower: Follower,
    file: string,
    lease: Lease,
  ): Promise<Omit<PromoteJSON, 'source' | 'file'>> {
    const { timestamp } = follower.status
    let kept: KeptFiles | undefined
    const pos = await follower.promote(async (image) => {
      const result = { ...image, proven: true, bytesRead: 0, pagesKept: image.commit }
      const { databaseId } = image
      kept = await adoptRestored(file, result, { head: image.pos.txid, databaseId })
    })
    return {
      txid: formatTXID(pos.txid),
      postApplyChecksum: formatChecksum(pos.postApplyChecksum),
      timestamp: timestamp.toISOString(),
      ...(lease.epoch > 0n && { epoch: String(lease.epoch) }),
      ...(kept && { kept: kept.folder }),
    }
  }
}
