import { createInterface, type Interface } from 'node:readline'
import { formatTXID } from '@sqlstream/ltx'
import type { At, ReadReplica } from '@sqlstream/read-replica'
import { CLIError } from '../cli-error.ts'
import { describeFailure, failureLines } from '../failure.ts'
import { parseAt } from './parse-at.ts'
import { type QueryFormat, resultText } from './query-output.ts'
import { splitStatements } from './statements.ts'

const HELP = `.tables            tables and views
.schema [name]     the statements that made them
.at <time|txid>    look at an earlier state
.at latest         look at the newest state again
.mode table|csv    how results are shown
.quit              end
A statement ends with a semicolon. Ctrl-C stops a statement.
`

/** What a shell works with. */
export interface ShellOptions {
  readonly newest: ReadReplica
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  readonly errors: NodeJS.WritableStream
  /** Somebody types: prompts, and errors do not end it. */
  readonly isInteractive: boolean
  readonly signal: AbortSignal
  readonly format: QueryFormat
}

/** Takes statements and commands line by line until the input ends. */
export class Shell {
  readonly #options: ShellOptions
  #format: QueryFormat
  /** A state of the past that is looked at. */
  #past: ReadReplica | undefined
  #pending = ''
  #running: AbortController | undefined
  #isDone = false
  /** The input has ended; lines that were read before may still wait. */
  #isClosed = false

  constructor(options: ShellOptions) {
    this.#options = options
    this.#format = options.format
  }

  /** @throws what a statement fails with, unless somebody types */
  async run(): Promise<void> {
    const { input, output, isInteractive, signal } = this.#options
    const lines = createInterface({ input, output, terminal: isInteractive, historySize: 500 })
    const end = (): void => lines.close()
    signal.addEventListener('abort', end, { once: true })
    lines.once('close', () => {
      this.#isClosed = true
    })
    lines.on('SIGINT', () => this.#interrupt(lines))
    try {
      if (isInteractive) this.#write(`${this.#describe()}\n.help shows what there is\n`)
      this.#prompt(lines)
      for await (const line of lines) {
        await this.#take(line)
        if (this.#isDone || signal.aborted) break
        this.#prompt(lines)
      }
      signal.throwIfAborted()
      // What the last line leaves open is a statement too, as for SQLite's shell.
      if (!this.#isDone && splitStatements(this.#pending).rest !== '')
        await this.#attempt(() => this.#sql(';'))
    } finally {
      signal.removeEventListener('abort', end)
      lines.close()
      await this.#past?.close()
    }
  }

  get #replica(): ReadReplica {
    return this.#past ?? this.#options.newest
  }

  async #take(line: string): Promise<void> {
    const isCommand = this.#pending === '' && line.trim().startsWith('.')
    await this.#attempt(() => (isCommand ? this.#command(line.trim()) : this.#sql(line)))
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#options.isInteractive || this.#options.signal.aborted) throw error
      this.#pending = ''
      this.#options.errors.write(failureLines(describeFailure(error)))
    }
  }

  async #sql(line: string): Promise<void> {
    const { statements, rest } = splitStatements(`${this.#pending}${line}\n`)
    this.#pending = rest === '' ? '' : `${rest}\n`
    for (const sql of statements) await this.#show(sql)
  }

  async #show(sql: string): Promise<void> {
    this.#running = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, this.#running.signal])
    try {
      this.#write(resultText(await this.#replica.table(sql, [], { signal }), this.#format))
    } finally {
      this.#running = undefined
    }
  }

  async #command(line: string): Promise<void> {
    const [name, ...words] = line.split(/\s+/) as [string, ...string[]]
    const [word] = words
    switch (name) {
      case '.quit':
      case '.exit':
        this.#isDone = true
        return
      case '.help':
        this.#write(HELP)
        return
      case '.tables':
        await this.#names(
          `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
          [],
        )
        return
      case '.schema':
        await this.#names(
          'SELECT sql || char(59) FROM sqlite_schema WHERE sql IS NOT NULL AND (? IS NULL OR tbl_name = ?1) ORDER BY rowid',
          [word ?? null],
        )
        return
      case '.mode':
        if (word !== 'table' && word !== 'csv')
          throw new CLIError('usage', `no mode ${word ?? ''}: table or csv`)
        this.#format = word
        return
      case '.at':
        await this.#travel(words.join(' '))
        return
      default:
        throw new CLIError('usage', `there is no command ${name}`, '.help shows what there is')
    }
  }

  async #names(sql: string, params: readonly (string | null)[]): Promise<void> {
    const { rows } = await this.#replica.table(sql, params, { signal: this.#options.signal })
    this.#write(rows.map(([text]) => `${text}\n`).join(''))
  }

  async #travel(text: string): Promise<void> {
    const at: At | undefined = text === 'latest' ? undefined : parseAt(text)
    const past = at && (await this.#options.newest.asOf(at, { signal: this.#options.signal }))
    await this.#past?.close()
    this.#past = past
    this.#write(`${this.#describe()}\n`)
  }

  #describe(): string {
    const { txid, time } = this.#replica.position
    return `TXID ${formatTXID(txid)}, of ${time.toISOString()}${this.#past ? '' : ', the newest'}`
  }

  #prompt(lines: Interface): void {
    if (!this.#options.isInteractive || this.#isClosed) return
    lines.setPrompt(this.#pending === '' ? 'sqlstream> ' : '      ...> ')
    lines.prompt()
  }

  /** Stops what runs; else lets go what was typed. */
  #interrupt(lines: Interface): void {
    if (this.#running) {
      this.#running.abort(new CLIError('interrupted', 'stopped by Ctrl-C'))
      return
    }
    this.#pending = ''
    this.#write('\n')
    // What stands on the line goes too.
    if (!this.#isClosed) lines.write(null, { ctrl: true, name: 'u' })
    this.#prompt(lines)
  }

  #write(text: string): void {
    if (text !== '') this.#options.output.write(text)
  }
}
