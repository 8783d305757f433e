import { access } from 'node:fs/promises'
import { Args, Flags } from '@oclif/core'
import { formatChecksum, formatTXID } from '@sqlstream/ltx'
import {
  headOf,
  type LTXFile,
  planRestore,
  type RestorePlan,
  type RestoreResult,
  type RestoreTarget,
  restore,
} from '@sqlstream/replica'
import { createKernelPool, fileSink } from '@sqlstream/replica/node'
import { adoptRestored, sqliteCheck } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import { type NamedReplica, openReplica, readCatalog } from '../open-replica.ts'
import { fileJSON } from '../output/json.ts'
import { formatBytes, formatCount, formatDuration } from '../output/units.ts'
import { parseRestoreTarget } from '../restore-target.ts'
import type { RestoredJSON, RestorePlanJSON } from '../schema.ts'

export default class Restore extends BaseCommand {
  static override summary = 'Restore a database from a replica.'
  static override description =
    'Writes a temporary file beside the target, proves every checksum, checks the database with SQLite, and only then gives it its name. An existing target is never touched without --force. A restored database can be replicated on to the same URL: only what differs is uploaded.'
  static override examples = [
    { description: 'The newest state', command: '<%= config.bin %> restore /backups/app -o app.db' },
    {
      description: 'The state at an instant',
      command: '<%= config.bin %> restore file:///backups/app -o then.db --timestamp 2026-11-24T03:15:00Z',
    },
    {
      description: 'What would be read',
      command: '<%= config.bin %> restore /backups/app -o app.db --dry-run',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    output: Flags.string({ char: 'o', required: true, description: 'path of the database to create' }),
    txid: Flags.string({
      exclusive: ['timestamp'],
      description: 'restore the state after this transaction (hexadecimal)',
    }),
    timestamp: Flags.string({
      exclusive: ['txid'],
      description: 'restore the last state at or before this instant (RFC 3339)',
    }),
    check: Flags.option({ options: ['none', 'quick', 'full'] as const })({
      default: 'quick',
      description: 'SQLite check of the result: none, quick_check or integrity_check',
    }),
    'dry-run': Flags.boolean({ default: false, description: 'say what would be restored, write nothing' }),
    force: Flags.boolean({ default: false, description: 'replace an existing target' }),
  }

  async run(): Promise<RestoredJSON | RestorePlanJSON> {
    const { args, flags } = await this.parse(Restore)
    const { signal } = this
    const target = parseRestoreTarget(flags)
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    let catalog = await readCatalog(named, { signal })
    if (target.kind === 'timestamp') {
      catalog = await named.replica.withTimestamps(catalog, target.timestamp, { signal })
    }
    const plan = planRestore(catalog, target)
    if (flags['dry-run']) return this.#dryRun(named, plan, target, flags.output)
    if (!flags.force && (await exists(flags.output))) {
      throw new CLIError(
        'target-exists',
        `${flags.output} exists`,
        'choose another path, or replace it with --force',
      )
    }
    const start = performance.now()
    const result = await this.#restore(named, plan, flags)
    const identity = await named.replica.identity({ signal })
    await adoptRestored(flags.output, result, {
      head: headOf(catalog) ?? plan.txid,
      ...(identity === undefined ? {} : { databaseId: identity.databaseId }),
    })
    return this.#report(named, plan, target, result, {
      database: flags.output,
      check: flags.check,
      milliseconds: Math.round(performance.now() - start),
    })
  }

  async #restore(
    named: NamedReplica,
    plan: RestorePlan,
    flags: { output: string; force: boolean; check: 'none' | 'quick' | 'full' },
  ): Promise<RestoreResult> {
    const progress = this.progress('restoring')
    const { check } = flags
    const sink = fileSink(flags.output, {
      overwrite: flags.force,
      check,
      ...(check === 'none' ? {} : { runCheck: (path: string) => sqliteCheck(path, check) }),
    })
    try {
      return await restore(named.replica, plan, sink, {
        signal: this.signal,
        pool: createKernelPool,
        onProgress: (p) => progress.update(p.bytes, p.totalBytes),
      })
    } finally {
      progress.end()
    }
  }

  async #dryRun(
    named: NamedReplica,
    plan: RestorePlan,
    target: RestoreTarget,
    database: string,
  ): Promise<RestorePlanJSON> {
    const timestamp = await timestampOf(named, plan, this.signal)
    const result: RestorePlanJSON = {
      dryRun: true,
      database,
      source: named.location.display,
      txid: formatTXID(plan.txid),
      ...(timestamp === undefined ? {} : { timestamp: timestamp.toISOString() }),
      bytesToRead: sum(plan.files),
      files: plan.files.map(fileJSON),
    }
    const files = `${formatCount(plan.files.length, 'file')}, ${formatBytes(result.bytesToRead)}`
    this.log(`would restore TXID ${result.txid} to ${database} from ${files}`)
    this.#logInstant(target, timestamp)
    for (const file of result.files) this.log(`  ${file.level}/${file.name}  ${formatBytes(file.size)}`)
    return result
  }

  #report(
    named: NamedReplica,
    plan: RestorePlan,
    target: RestoreTarget,
    result: RestoreResult,
    run: Pick<RestoredJSON, 'database' | 'check' | 'milliseconds'>,
  ): RestoredJSON {
    const json: RestoredJSON = {
      dryRun: false,
      source: named.location.display,
      txid: formatTXID(result.pos.txid),
      timestamp: result.timestamp.toISOString(),
      postApplyChecksum: formatChecksum(result.pos.postApplyChecksum),
      proven: result.proven,
      pageSize: result.pageSize,
      pages: result.commit,
      bytes: result.commit * result.pageSize,
      bytesRead: result.bytesRead,
      files: plan.files.map(fileJSON),
      ...run,
    }
    const size = `${formatBytes(json.bytes)} from ${formatCount(plan.files.length, 'file')}`
    this.log(
      `restored ${json.database} at TXID ${json.txid}: ${size} in ${formatDuration(json.milliseconds)}`,
    )
    this.#logInstant(target, result.timestamp)
    const proof = json.proven
      ? `database checksum ${json.postApplyChecksum} equals the one that was captured`
      : 'every file checksum is right (the files carry no chain proof)'
    const check = json.check === 'none' ? '' : `; SQLite ${json.check} check passed`
    this.log(`${proof}${check}`)
    return json
  }

  /** People who ask for an instant get the last state before it; this says how far before. */
  #logInstant(target: RestoreTarget, timestamp: Date | undefined): void {
    if (timestamp === undefined) return
    const before =
      target.kind === 'timestamp'
        ? `, ${formatDuration(target.timestamp.getTime() - timestamp.getTime())} before the time asked for`
        : ''
    this.log(`state of ${timestamp.toISOString()}${before}`)
  }
}

function sum(files: readonly LTXFile[]): number {
  return files.reduce((bytes, file) => bytes + file.size, 0)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function timestampOf(
  named: NamedReplica,
  plan: RestorePlan,
  signal: AbortSignal,
): Promise<Date | undefined> {
  if (plan.timestamp !== undefined) return plan.timestamp
  const last = plan.files.at(-1)
  return last === undefined ? undefined : new Date((await named.replica.header(last, { signal })).timestamp)
}
