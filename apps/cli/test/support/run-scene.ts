import { existsSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TempFolder } from '@sqlstream/testkit'
import { contents } from './app.ts'
import { type CLIProcess, type CLIResult, runCLI, startCLI } from './run-cli.ts'
import type { ServedOptions } from './served-application.ts'

const APPLICATION = fileURLToPath(new URL('served-application.ts', import.meta.url))

/** A machine on which `sqlstream run` runs an application with the database app.db, replicated to the folder `backup`. */
export class RunScene implements AsyncDisposable {
  readonly folder = new TempFolder('run')
  #made = 0
  readonly #processes: CLIProcess[] = []
  /** More variables. */
  readonly env: Record<string, string> = {}

  get database(): string {
    return this.folder.join('app.db')
  }

  get backup(): string {
    return this.folder.join('backup')
  }

  /** Its program and arguments, behind `--`. */
  application(options: Partial<ServedOptions> = {}): string[] {
    const served: ServedOptions = { database: this.database, commits: 0, ...options }
    return [process.execPath, APPLICATION, JSON.stringify(served)]
  }

  start(...args: readonly string[]): CLIProcess {
    const started = startCLI(args, this.options)
    this.#processes.push(started)
    return started
  }

  /** `run` of the database with more options, and an application. */
  run(options: readonly string[], application: Partial<ServedOptions> = {}): CLIProcess {
    return this.start('run', this.database, this.backup, ...options, '--', ...this.application(application))
  }

  /** Runs a command to its end. */
  cli(...args: readonly string[]): Promise<CLIResult> {
    return runCLI(args, this.options)
  }

  /** A backup with so many rows, of a database that is gone. */
  async backUp(rows: number, backup = this.backup): Promise<void> {
    const name = `made-${++this.#made}`
    mkdirSync(this.folder.join(name))
    const database = this.folder.join(name, 'app.db')
    const command = this.application({ database, commits: rows, exit: 0 })
    const { status, stderr } = await this.cli('run', database, backup, '--', ...command)
    if (status !== 0) throw new Error(stderr)
  }

  /** How many rows the newest state of the backup has; it must be whole. */
  async backedUpRows(backup = this.backup): Promise<number> {
    const copy = this.folder.join('copy.db')
    const { status, stderr } = await this.cli('restore', backup, '-o', copy, '--force')
    if (status !== 0) throw new Error(stderr)
    const { rows, problems } = contents(copy)
    if (problems !== 'ok') throw new Error(problems)
    return rows === '' ? 0 : rows.split('\n').length
  }

  /** Whether anything is there under the name of the database. */
  get isThere(): boolean {
    return existsSync(this.database)
  }

  get options(): { cwd: string; env: Record<string, string> } {
    return { cwd: this.folder.path, env: { XDG_RUNTIME_DIR: this.folder.join('run'), ...this.env } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, result } of this.#processes) {
      child.kill('SIGKILL')
      await result
    }
    this.folder.remove()
  }
}
