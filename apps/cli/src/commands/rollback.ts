import { randomUUID } from 'node:crypto'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { type RollBackResult, rollBack } from '@sqlstream/follower'
import { formatTXID, type TXID } from '@sqlstream/ltx'
import { type Lease, pin, type RestoreTarget, unpin } from '@sqlstream/replica'
import { createKernelPool } from '@sqlstream/replica/node'
import { withBorrowedLease } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import { parseDuration } from '../duration.ts'
import type { RollbackJSON } from '../fork-schema.ts'
import { type NamedReplica, openReplica, readCatalog } from '../open-replica.ts'
import { formatCount } from '../output/units.ts'
import { planFrom } from '../restore-plan.ts'
import { parseRestoreTarget } from '../restore-target.ts'
import { stateFlags } from '../state-flags.ts'

export default class Rollback extends BaseCommand {
  static override summary = 'Make a past state of a replica its newest one, without losing what came after.'
  static override description =
    'Appends one file that turns the newest state into the past one: only pages in which they differ. Everything that could be restored still can, and the TXID that is printed leads back. No writer may hold the replica; its database stays as it is, and must be brought to the new state with restore --delta before it is replicated on. Copies that follow go along by themselves. Both states are read.'
  static override examples = [
    {
      description: 'Back to how it was before the accident',
      command: '<%= config.bin %> rollback s3://bucket/app --at 2026-11-24T03:15:00Z',
    },
    {
      description: 'What would change?',
      command: '<%= config.bin %> rollback /backups/app --txid 2a --dry-run',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    ...stateFlags('go back to'),
    'keep-undo': Flags.string({
      default: '7d',
      helpValue: '<duration>',
      description: 'hold the state that is left for so long, so that this can be undone',
    }),
    'dry-run': Flags.boolean({ default: false, description: 'say what would change, write nothing' }),
    'sole-writer': Flags.boolean({
      default: false,
      description: 'you make sure that nothing writes this replica meanwhile: take no lease',
    }),
  }

  async run(): Promise<RollbackJSON> {
    const { args, flags } = await this.parse(Rollback)
    const { signal } = this
    const keepMs = parseDuration(flags['keep-undo'])
    const dryRun = flags['dry-run']
    const target = parseRestoreTarget({ txid: flags.txid, timestamp: flags.at })
    if (target.kind === 'latest') {
      throw new CLIError('usage', 'which state shall be the newest again?', 'name it with --at or --txid')
    }
    const start = performance.now()
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    // Also before a lease is taken: a mistyped URL gets no object of ours.
    await readCatalog(named, { signal })
    const work = (lease?: Lease): Promise<Done> => this.#rollBack(named, target, lease, keepMs)
    const done = dryRun
      ? await work()
      : await withBorrowedLease(named.store, work, { soleWriter: flags['sole-writer'], signal })
    const json = rollbackJSON(named.location.display, dryRun, done, Math.round(performance.now() - start))
    this.#say(json)
    return json
  }

  async #rollBack(
    named: NamedReplica,
    target: RestoreTarget,
    lease: Lease | undefined,
    keepMs: number,
  ): Promise<Done> {
    const { signal } = this
    const { replica, store } = named
    const before = await replica.catalog({ signal })
    const { txid } = (await planFrom(replica, before, { kind: 'latest' }, { signal })).plan
    const until = lease && keepMs > 0 ? new Date(Date.now() + keepMs) : undefined
    // Before the listing that counts, and before anything is changed: what is to lead back must not go meanwhile.
    if (until) {
      const reason = `undo of sqlstream rollback on ${hostname()}`
      await pin(store, { id: undoPin(txid), txid, reason, expires: until }, { signal })
    }
    const catalog = await replica.catalog({ signal })
    const head = await planFrom(replica, catalog, { kind: 'latest' }, { signal })
    const past = await planFrom(replica, catalog, target, { signal })
    const progress = this.progress('comparing')
    try {
      const result = await rollBack(replica, lease && replica.writer(lease), head.plan, past.plan, {
        spillPath: join(tmpdir(), `sqlstream-rollback-${randomUUID()}`),
        dryRun: lease === undefined,
        signal,
        pool: createKernelPool,
        onProgress: ({ bytes, totalBytes }) => progress.update(bytes, totalBytes),
      })
      if (until && result.file === undefined) await unpin(store, undoPin(txid), { signal })
      return { result, until }
    } finally {
      progress.end()
    }
  }

  #say({ dryRun, source, from, to, head, pages, undo }: RollbackJSON): void {
    if (pages === 0) {
      this.log(`${source}: the newest state does not differ from TXID ${to.txid}; nothing to do`)
      return
    }
    const what = `${formatCount(pages, 'page')} of TXID ${to.txid}, ${to.timestamp}`
    if (dryRun) this.log(`${source}: ${what}, would follow TXID ${from.txid}`)
    if (undo === undefined) return
    this.log(`${source}: ${what}, ${pages === 1 ? 'is' : 'are'} the newest state now, TXID ${head}`)
    const until = undo.until === undefined ? '' : ` (until ${undo.until} for certain)`
    this.log(`undo with: sqlstream rollback ${source} --txid ${undo.txid}${until}`)
  }
}

interface Done {
  readonly result: RollBackResult
  readonly until: Date | undefined
}

/** One for each state that may be gone back to. */
function undoPin(txid: TXID): string {
  return `undo-${formatTXID(txid)}`
}

function rollbackJSON(
  source: string,
  dryRun: boolean,
  { result, until }: Done,
  milliseconds: number,
): RollbackJSON {
  const { from, to, timestamp, pages, commits, file } = result
  const before = formatTXID(from.txid)
  return {
    dryRun,
    source,
    to: { txid: formatTXID(to.txid), timestamp: timestamp.toISOString() },
    from: { txid: before },
    head: file === undefined ? before : formatTXID(file.maxTXID),
    pages,
    commit: commits,
    bytes: file?.size ?? 0,
    ...(file && { undo: { txid: before, ...(until && { until: until.toISOString() }) } }),
    milliseconds,
  }
}
