import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { compareDatabases } from '@sqlstream/follower'
import { formatTXID } from '@sqlstream/ltx'
import type { Catalog, RestoreTarget } from '@sqlstream/replica'
import { createKernelPool } from '@sqlstream/replica/node'
import { BaseCommand } from '../base-command.ts'
import { carryOutRestore } from '../carry-out-restore.ts'
import type { DiffJSON } from '../diff-schema.ts'
import { type NamedReplica, openReplica, readCatalog } from '../open-replica.ts'
import { diffLines, rowJSON } from '../output/diff.ts'
import { planFrom } from '../restore-plan.ts'
import { parseState } from '../restore-target.ts'

export default class Diff extends BaseCommand {
  static override summary = 'List the rows in which two states of a database differ.'
  static override description =
    'Restores both states to temporary files (TMPDIR) and compares every table by its primary key, or by rowid where it has none. Tables, indexes, views and triggers that came, went or changed are listed too. What is listed is bounded, what is counted is not.'
  static override examples = [
    {
      description: 'What has happened since the checkpoint?',
      command: '<%= config.bin %> diff /backups/app --from 2a',
    },
    {
      description: 'Between two instants, in one table',
      command:
        '<%= config.bin %> diff s3://bucket/app --from 2026-11-24T03:15:00Z --to 2026-11-24T03:20:00Z --table account',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    from: Flags.string({
      required: true,
      description: 'the earlier state: a TXID (hexadecimal) or an instant (RFC 3339)',
    }),
    to: Flags.string({ description: 'the later state, default the newest' }),
    table: Flags.string({
      multiple: true,
      description: 'compare this table only; may be given more than once',
    }),
    limit: Flags.integer({
      default: 20,
      min: 0,
      description: 'rows of each kind that are listed for a table',
    }),
  }

  async run(): Promise<DiffJSON> {
    const { args, flags } = await this.parse(Diff)
    const { signal } = this
    const start = performance.now()
    const from = parseState(flags.from)
    const to: RestoreTarget = flags.to === undefined ? { kind: 'latest' } : parseState(flags.to)
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    const catalog = await readCatalog(named, { signal })
    const folder = await mkdtemp(join(tmpdir(), 'sqlstream-diff-'))
    try {
      const files = { from: join(folder, 'from.db'), to: join(folder, 'to.db') }
      const before = await this.#restore(named, catalog, from, files.from)
      const after = await this.#restore(named, catalog, to, files.to)
      const { limit, table } = flags
      const found = compareDatabases(files.from, files.to, { limit, signal, ...(table && { tables: table }) })
      const json: DiffJSON = {
        source: named.location.display,
        from: before,
        to: after,
        schema: [...found.schema],
        tables: found.tables.map(({ rows, key, ...rest }) => ({
          ...rest,
          key: [...key],
          rows: rows.map(rowJSON),
        })),
        skipped: [...found.skipped],
        limit,
        milliseconds: Math.round(performance.now() - start),
      }
      for (const line of diffLines(json)) this.log(line)
      return json
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async #restore(
    named: NamedReplica,
    catalog: Catalog,
    target: RestoreTarget,
    output: string,
  ): Promise<DiffJSON['from']> {
    const { signal } = this
    const progress = this.progress('restoring')
    try {
      const planned = await planFrom(named.replica, catalog, target, { signal })
      const { result } = await carryOutRestore(named.replica, planned, {
        output,
        check: 'none',
        force: false,
        delta: false,
        adopt: false,
        signal,
        pool: createKernelPool,
        onProgress: ({ bytes, totalBytes }) => progress.update(bytes, totalBytes),
      })
      return { txid: formatTXID(result.pos.txid), timestamp: result.timestamp.toISOString() }
    } finally {
      progress.end()
    }
  }
}
