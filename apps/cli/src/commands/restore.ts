import { access } from 'node:fs/promises'
import { Args, Flags } from '@oclif/core'
import { formatChecksum, formatTXID } from '@sqlstream/ltx'
import {
  type Catalog,
  type GenerationCatalog,
  headOf,
  isReplicaError,
  type LTXFile,
  type PageSink,
  type Progress,
  planGeneration,
  planRestore,
  ReplicaError,
  type RestorePlan,
  type RestoreResult,
  type RestoreTarget,
  restore,
  restoreGeneration,
} from '@sqlstream/replica'
import { createKernelPool, fileSink } from '@sqlstream/replica/node'
import { adoptRestored, sqliteCheck } from '@sqlstream/replica-core'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import { type NamedReplica, openReplica, readBackup } from '../open-replica.ts'
import {
  generationPlanJSON,
  generationPlanLines,
  restoredGenerationJSON,
  restoredGenerationLines,
} from '../output/generation-report.ts'
import { fileJSON } from '../output/json.ts'
import { formatBytes, formatCount, formatDuration } from '../output/units.ts'
import { generationTarget, parseRestoreTarget } from '../restore-target.ts'
import type { GenerationPlanJSON, RestoredGenerationJSON, RestoredJSON, RestorePlanJSON } from '../schema.ts'

export default class Restore extends BaseCommand {
  static override summary = 'Restore a database from a replica.'
  static override description =
    'Writes a temporary file beside the target, proves every checksum, checks the database with SQLite, and only then gives it its name. An existing target is never touched without --force. A restored database can be replicated on to the same URL: only what differs is uploaded. Where no LTX file is, a backup of Litestream 0.3 is looked for.'
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
    generation: Flags.string({
      description: 'restore from this generation of a backup of Litestream 0.3 (16 hexadecimal digits)',
    }),
    check: Flags.option({ options: ['none', 'quick', 'full'] as const })({
      default: 'quick',
      description: 'SQLite check of the result: none, quick_check or integrity_check',
    }),
    'dry-run': Flags.boolean({ default: false, description: 'say what would be restored, write nothing' }),
    force: Flags.boolean({ default: false, description: 'replace an existing target' }),
  }

  async run(): Promise<RestoredJSON | RestorePlanJSON | RestoredGenerationJSON | GenerationPlanJSON> {
    const { args, flags } = await this.parse(Restore)
    const { signal } = this
    const target = parseRestoreTarget(flags)
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    const generationsOnly = flags.generation !== undefined
    const backup = await readBackup(named, { signal, generationsOnly })
    return backup.kind === 'ltx'
      ? await this.#fromLTX(named, backup.catalog, target, flags)
      : await this.#fromGenerations(named, backup.generations, target, flags)
  }

  async #fromLTX(
    named: NamedReplica,
    catalog: Catalog,
    target: RestoreTarget,
    flags: RestoreFlags,
  ): Promise<RestoredJSON | RestorePlanJSON> {
    const { signal } = this
    const timed =
      target.kind === 'timestamp'
        ? await named.replica.withTimestamps(catalog, target.timestamp, { signal })
        : catalog
    const plan = await planOrOlder(named, timed, target, signal)
    if (flags['dry-run']) return this.#dryRun(named, plan, target, flags.output)
    await mustBeFree(flags)
    const start = performance.now()
    const result = await this.#withProgress((onProgress) =>
      restore(named.replica, plan, sinkFor(flags), { signal, pool: createKernelPool, onProgress }),
    )
    const identity = await named.replica.identity({ signal })
    await adoptRestored(flags.output, result, {
      head: headOf(timed) ?? plan.txid,
      ...(identity === undefined ? {} : { databaseId: identity.databaseId }),
    })
    return this.#report(named, plan, target, result, {
      database: flags.output,
      check: flags.check,
      milliseconds: Math.round(performance.now() - start),
    })
  }

  async #fromGenerations(
    named: NamedReplica,
    generations: GenerationCatalog,
    target: RestoreTarget,
    flags: RestoreFlags,
  ): Promise<RestoredGenerationJSON | GenerationPlanJSON> {
    const plan = planGeneration(generations, generationTarget(target, flags.generation))
    const where = { database: flags.output, source: named.location.display }
    const instant = instantLine(target, plan.timestamp)
    if (flags['dry-run']) {
      const json = generationPlanJSON(plan, where)
      for (const line of generationPlanLines(json, instant)) this.log(line)
      return json
    }
    await mustBeFree(flags)
    const start = performance.now()
    const image = await this.#withProgress((onProgress) =>
      restoreGeneration(named.replica, plan, sinkFor(flags), { signal: this.signal, onProgress }),
    )
    const milliseconds = Math.round(performance.now() - start)
    const json = restoredGenerationJSON(plan, image, { ...where, check: flags.check, milliseconds })
    for (const line of restoredGenerationLines(json, instant)) this.log(line)
    return json
  }

  async #withProgress<T>(work: (onProgress: (p: RestoreProgress) => void) => Promise<T>): Promise<T> {
    const progress = this.progress('restoring')
    try {
      return await work((p) => progress.update(p.bytes, p.totalBytes))
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

  #logInstant(target: RestoreTarget, timestamp: Date | undefined): void {
    if (timestamp !== undefined) this.log(instantLine(target, timestamp))
  }
}

interface RestoreFlags {
  readonly output: string
  readonly force: boolean
  readonly check: 'none' | 'quick' | 'full'
  readonly 'dry-run': boolean
  readonly generation?: string | undefined
}

type RestoreProgress = Pick<Progress, 'bytes' | 'totalBytes'>

/** People who ask for an instant get the last state before it; this says how far before. */
function instantLine(target: RestoreTarget, timestamp: Date): string {
  const before =
    target.kind === 'timestamp'
      ? `, ${formatDuration(target.timestamp.getTime() - timestamp.getTime())} before the time asked for`
      : ''
  return `state of ${timestamp.toISOString()}${before}`
}

/** The plan; a wish for what was before all LTX files is told of the older backup, if one lies there too. */
async function planOrOlder(
  named: NamedReplica,
  catalog: Catalog,
  target: RestoreTarget,
  signal: AbortSignal,
): Promise<RestorePlan> {
  try {
    return planRestore(catalog, target)
  } catch (error) {
    if (target.kind !== 'timestamp' || !isReplicaError(error, 'target-before-first')) throw error
    const { generations } = await named.replica.generations({ signal })
    const ids = [...generations.keys()]
    if (ids.length === 0) throw error
    throw new ReplicaError(error.code, error.message, {
      cause: error,
      hint: `Older states may be in the backup of Litestream 0.3 beside: --generation ${ids.join(' or --generation ')}.`,
    })
  }
}

async function mustBeFree({ force, output }: RestoreFlags): Promise<void> {
  if (force || !(await exists(output))) return
  throw new CLIError('target-exists', `${output} exists`, 'choose another path, or replace it with --force')
}

function sinkFor({ output, force, check }: RestoreFlags): PageSink {
  return fileSink(output, {
    overwrite: force,
    check,
    ...(check === 'none' ? {} : { runCheck: (path: string) => sqliteCheck(path, check) }),
  })
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
