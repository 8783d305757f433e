import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CLIError } from '../cli-error.ts'
import type { ApplicationEnd } from './outcome.ts'

/** The program that is run, with our input, output and environment. */
export class Application {
  /** Settles when it is gone. Never rejects. */
  readonly ended: Promise<ApplicationEnd>
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  /** @throws CLIError `command-not-found`; the system's errors */
  static async start([program = '', ...args]: readonly string[]): Promise<Application> {
    const child = spawn(program, args, { stdio: 'inherit' })
    const application = new Application(child)
    try {
      await once(child, 'spawn')
    } catch (error) {
      throw notFound(program, (error as NodeJS.ErrnoException).code) ?? error
    }
    // Such as a signal that cannot be sent any more.
    child.on('error', () => undefined)
    return application
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** Does nothing once it has ended. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

/**
 * Looks for a program before anything else is done: a mistake in a deployment must be seen at once.
 * @throws CLIError `command-not-found`
 */
export function assertFound(program: string): void {
  if (process.platform === 'win32') return
  const folders = program.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter)
  let code = 'ENOENT'
  for (const folder of folders) {
    const path = folder === '' ? program : join(folder, program)
    try {
      if (!statSync(path).isFile()) continue
      accessSync(path, constants.X_OK)
      return
    } catch (error) {
      const found = (error as NodeJS.ErrnoException).code
      if (found === 'EACCES') code = found
    }
  }
  throw notFound(program, code)
}

function notFound(program: string, code: string | undefined): CLIError | undefined {
  if (code === 'EACCES') {
    const hint = 'chmod +x makes a file a program; a script can be named behind its interpreter'
    return new CLIError('command-not-found', `${program} must not be executed`, hint)
  }
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return undefined
  return new CLIError('command-not-found', `there is no program ${program}`, 'check the path, and PATH')
}
