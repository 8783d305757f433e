import { basename } from 'node:path'
import { Args, Flags } from '@oclif/core'
import {
  type Catalog,
  type GenerationCatalog,
  type Progress,
  planGeneration,
  type RestorePlan,
  type RestoreTarget,
  restoreGeneration,
} from '@sqlstream/replica'
import { createKernelPool, createModestPool } from '@sqlstream/replica/node'
import { redactText } from '@sqlstream/storage'
import { BaseCommand } from '../base-command.ts'
import { carryOutRestore, checkedFile } from '../carry-out-restore.ts'
import { CLIError } from '../cli-error.ts'
import { EXIT } from '../exit-codes.ts'
import { type NamedReplica, openReplica, readBackup } from '../open-replica.ts'
import {
  generationPlanJSON,
  generationPlanLines,
  restoredGenerationJSON,
  restoredGenerationLines,
} from '../output/generation-report.ts'
import {
  instantLine,
  restoredJSON,
  restoredLines,
  restorePlanJSON,
  restorePlanLines,
} from '../output/restore-report.ts'
import { treeText } from '../output/tree-report.ts'
import { planFrom } from '../restore-plan.ts'
import type {
  GenerationPlanJSON,
  RestoredGenerationJSON,
  RestoredJSON,
  RestoreJSON,
  RestorePlanJSON,
  TreeJSON,
} from '../restore-schema.ts'
import { generationTarget, parseRestoreTarget } from '../restore-target.ts'
import { findReplicas, placesOf } from '../restore-tree.ts'
import { assertSome, runTree } from '../run-tree.ts'
import { assertStreamable, STANDARD_OUTPUT, toStandardOutput } from '../standard-output.ts'
import { mustBeFree } from '../target-free.ts'

export default class Restore extends BaseCommand {
  static override summary = 'Restore a database from a replica.'
  static override description =
    'Writes a temporary file beside the target, proves every checksum, checks the database with SQLite, and only then gives it its name. An existing target is never touched without --force or --delta. A restored database can be replicated on to the same URL: only what differs is uploaded. Where no LTX file is, a backup of Litestream 0.3 is looked for. With -o - the proven database goes to standard output, by way of a temporary file (TMPDIR). --tree restores every replica below the URL, a/b to <folder>/a/b.db; one that fails does not stop the others.'
  static override examples = [
    { description: 'The newest state', command: '<%= config.bin %> restore /backups/app -o app.db' },
    {
      description: 'The state at an instant',
      command: '<%= config.bin %> restore file:///backups/app -o then.db --timestamp 2026-11-24T03:15:00Z',
    },
    {
      description: 'Bring an older copy up to date: only what has changed is read',
      command: '<%= config.bin %> restore s3://bucket/app -o app.db --delta',
    },
    {
      description: 'All databases of a bucket, at one instant',
      command: '<%= config.bin %> restore --tree s3://bucket -o restored --timestamp 2026-11-24T03:15:00Z',
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
    output: Flags.string({
      char: 'o',
      required: true,
      description: 'path of the database to create, - for standard output; with --tree a folder',
    }),
    txid: Flags.string({
      exclusive: ['timestamp'],
      description: 'restore the state after this transaction (hexadecimal)',
    }),
    timestamp: Flags.string({
      exclusive: ['txid'],
      description: 'restore the last state at or before this instant (RFC 3339)',
    }),
    strict: Flags.boolean({
      dependsOn: ['timestamp'],
      description: 'an instant after the newest state is an error, instead of meaning that state',
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
    delta: Flags.boolean({
      default: false,
      description: 'where the target is an older copy, read only what has changed, and replace it',
    }),
    tree: Flags.boolean({
      default: false,
      exclusive: ['txid', 'generation'],
      description: 'restore every replica below the URL into a folder',
    }),
  }
  #isStreamed = false

  async run(): Promise<RestoreJSON> {
    const { args, flags } = await this.parse(Restore)
    const { signal } = this
    const target = parseRestoreTarget(flags)
    this.#isStreamed = flags.output === STANDARD_OUTPUT && !flags['dry-run']
    if (this.#isStreamed) assertStreamable(process.stdout.isTTY === true, this.jsonEnabled())
    if (flags.output === STANDARD_OUTPUT && (flags.tree || flags.delta)) {
      throw new CLIError(
        'usage',
        `standard output is no place for --${flags.tree ? 'tree' : 'delta'}`,
        'name a path',
      )
    }
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    if (flags.tree) return await this.#tree(named, target, flags)
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
    const { replica } = named
    const planned = await planFrom(replica, catalog, target, { signal })
    const where = { database: flags.output, source: named.location.display }
    if (flags['dry-run']) {
      const timestamp = await timestampOf(named, planned.plan, signal)
      const json = restorePlanJSON(planned.plan, where, timestamp)
      this.#say(restorePlanLines(json, timestamp && instantLine(target, timestamp)))
      return json
    }
    const start = performance.now()
    const done = await this.#into(flags, (output) =>
      this.#withProgress((onProgress) =>
        carryOutRestore(replica, planned, {
          ...flags,
          output,
          adopt: !this.#isStreamed,
          signal,
          pool: createKernelPool,
          onProgress,
        }),
      ),
    )
    const milliseconds = Math.round(performance.now() - start)
    const { planned: restored, result, kept } = done
    const run = { ...where, check: flags.check, milliseconds, ...(kept !== undefined && { kept }) }
    const json = restoredJSON(restored.plan, result, run)
    this.#say(restoredLines(json, instantLine(target, result.timestamp)))
    return json
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
      this.#say(generationPlanLines(json, instant))
      return json
    }
    const start = performance.now()
    const image = await this.#into(flags, (output) =>
      this.#withProgress((onProgress) =>
        restoreGeneration(named.replica, plan, checkedFile(output, flags), {
          signal: this.signal,
          onProgress,
        }),
      ),
    )
    const milliseconds = Math.round(performance.now() - start)
    const json = restoredGenerationJSON(plan, image, { ...where, check: flags.check, milliseconds })
    this.#say(restoredGenerationLines(json, instant))
    return json
  }

  async #tree(named: NamedReplica, target: RestoreTarget, flags: RestoreFlags): Promise<TreeJSON> {
    const { signal } = this
    const { store, replica, location } = named
    const replicas = await findReplicas(store, replica.layout, { signal })
    assertSome(replicas, location.display)
    const name = basename(decodeURIComponent(location.url.pathname)) || 'database'
    const places = placesOf(replicas, flags.output, name)
    const progress = this.progress('restoring')
    const start = performance.now()
    const dryRun = flags['dry-run']
    try {
      const { entries, exit } = await runTree(store, places, target, {
        ...flags,
        adopt: true,
        dryRun,
        signal,
        pool: createModestPool,
        onDone: (done) => progress.step(`${done} of ${places.length} databases`),
      })
      const json: TreeJSON = {
        dryRun,
        source: location.display,
        folder: flags.output,
        failed: entries.filter(({ ok }) => !ok).length,
        databases: [...entries],
        milliseconds: Math.round(performance.now() - start),
      }
      progress.end()
      this.#say([treeText(json)])
      if (exit !== EXIT.ok) process.exitCode = exit
      return json
    } finally {
      progress.end()
    }
  }

  /** Has a database made at the path that was asked for, or where it can be sent to standard output from. */
  async #into<T>(flags: RestoreFlags, make: (path: string) => Promise<T>): Promise<T> {
    if (this.#isStreamed) return await toStandardOutput(this.signal, make)
    await mustBeFree(flags.output, flags)
    return await make(flags.output)
  }

  async #withProgress<T>(work: (onProgress: (p: RestoreProgress) => void) => Promise<T>): Promise<T> {
    const progress = this.progress('restoring')
    try {
      return await work((p) => progress.update(p.bytes, p.totalBytes))
    } finally {
      progress.end()
    }
  }

  /** Beside a database on standard output, words go to standard error. */
  #say(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#isStreamed) process.stderr.write(`${redactText(line)}\n`)
      else this.log(line)
    }
  }
}

interface RestoreFlags {
  readonly output: string
  readonly force: boolean
  readonly delta: boolean
  readonly check: 'none' | 'quick' | 'full'
  readonly 'dry-run': boolean
  readonly generation?: string | undefined
}

type RestoreProgress = Pick<Progress, 'bytes' | 'totalBytes'>

async function timestampOf(
  named: NamedReplica,
  plan: RestorePlan,
  signal: AbortSignal,
): Promise<Date | undefined> {
  if (plan.timestamp !== undefined) return plan.timestamp
  const last = plan.files.at(-1)
  return last === undefined ? undefined : new Date((await named.replica.header(last, { signal })).timestamp)
}
