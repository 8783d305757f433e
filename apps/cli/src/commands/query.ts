import { Args, Flags } from '@oclif/core'
import { formatTXID } from '@sqlstream/ltx'
import type { ReadReplica, RowSet } from '@sqlstream/read-replica'
import { openReplica as openReadReplica } from '@sqlstream/read-replica/node'
import { BaseCommand } from '../base-command.ts'
import { CLIError } from '../cli-error.ts'
import { type NamedReplica, openReplica } from '../open-replica.ts'
import { atOf } from '../query/parse-at.ts'
import { type QueryFormat, resultJSON, resultText } from '../query/query-output.ts'
import type { QueryJSON } from '../query/query-schema.ts'
import { Shell } from '../query/shell.ts'
import { splitStatements } from '../query/statements.ts'

export default class Query extends BaseCommand {
  static override summary = 'Query a replica with SQL, without restoring it.'
  static override description =
    'Reads only the pages that the statements need. All statements see one state: the newest, or that of --at or --txid. Without SQL it takes statements from standard input until it ends; at a terminal that is a shell that follows new commits, with commands such as .tables and .at. In a table NULL is shown as NULL, in CSV as an empty field; blobs are hexadecimal.'
  static override examples = [
    {
      description: 'The newest state',
      command: '<%= config.bin %> query s3://bucket/app "select count(*) from orders"',
    },
    {
      description: 'As it was',
      command: '<%= config.bin %> query /backups/app "select * from orders" --at 2026-11-24T03:15:00Z --csv',
    },
    { description: 'A shell', command: '<%= config.bin %> query file:///backups/app' },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
    sql: Args.string({ ignoreStdin: true, description: 'statements; default: those of standard input' }),
  }
  static override flags = {
    at: Flags.string({
      exclusive: ['txid'],
      description: 'read the last state at or before this instant (RFC 3339)',
    }),
    txid: Flags.string({
      exclusive: ['at'],
      description: 'read the state after this transaction (hexadecimal)',
    }),
    csv: Flags.boolean({ default: false, exclusive: ['json'], description: 'write results as CSV' }),
  }

  async run(): Promise<QueryJSON | undefined> {
    const { args, flags } = await this.parse(Query)
    const { signal } = this
    const at = atOf(flags)
    const format: QueryFormat = flags.csv ? 'csv' : 'table'
    const statements = args.sql === undefined ? undefined : statementsOf(args.sql)
    if (!statements && this.jsonEnabled()) {
      throw new CLIError('usage', '--json needs the statements as an argument')
    }
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    const isShell = !statements && process.stdin.isTTY === true
    await using replica = await openReadReplica({
      replica: named.replica,
      signal,
      at,
      // One answer is of one state; whoever sits at a shell waits for news.
      poll: isShell ? {} : false,
    })
    if (statements) return await this.#answer(named, replica, statements, format)
    const shell = new Shell({
      newest: replica,
      input: process.stdin,
      output: process.stdout,
      errors: process.stderr,
      isInteractive: isShell,
      signal,
      format,
    })
    await shell.run()
    return undefined
  }

  async #answer(
    named: NamedReplica,
    replica: ReadReplica,
    statements: readonly string[],
    format: QueryFormat,
  ): Promise<QueryJSON> {
    const { signal } = this
    // One state for all of them, whatever becomes of its files meanwhile.
    const { results, position } = await replica.snapshot(
      async (tx) => {
        const results: RowSet[] = []
        for (const sql of statements) results.push(await tx.table(sql, [], { signal }))
        return { results, position: tx.position }
      },
      { signal },
    )
    if (!this.jsonEnabled()) {
      // Not by `log`, which takes credentials out of texts: these are the user's own data.
      process.stdout.write(
        results
          .map((set) => resultText(set, format))
          .filter((text) => text !== '')
          .join('\n'),
      )
    }
    return {
      source: named.location.display,
      txid: formatTXID(position.txid),
      timestamp: position.time.toISOString(),
      results: results.map(resultJSON),
    }
  }
}

function statementsOf(text: string): readonly string[] {
  const { statements, rest } = splitStatements(text)
  const all = rest === '' ? statements : [...statements, rest]
  if (all.length === 0) throw new CLIError('usage', 'there is no statement in the text')
  return all
}
