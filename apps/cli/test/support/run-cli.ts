import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** The built command line. */
export const RUN = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

/** How a run ended. */
export interface CLIResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CLIOptions {
  readonly cwd?: string
  /** Over those of the test. */
  readonly env?: Readonly<Record<string, string>>
  /** A user without root's rights, for tests of permissions. */
  readonly uid?: number
}

/** A run that has not ended. */
export interface CLIProcess {
  readonly child: ChildProcess
  readonly result: Promise<CLIResult>
  /** Resolves when standard output has a line that matches; rejects when the process ends before. */
  line(pattern: RegExp): Promise<string>
  /** The same of standard error. */
  errorLine(pattern: RegExp): Promise<string>
}

/** Starts the built command line. */
export function startCLI(args: readonly string[], options: CLIOptions = {}): CLIProcess {
  return startProgram(process.execPath, [RUN, ...args], options)
}

/** Starts any program the same way. */
export function startProgram(program: string, args: readonly string[], options: CLIOptions = {}): CLIProcess {
  const { cwd, env, uid } = options
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const result = new Promise<CLIResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, stdout, stderr }))
  })
  return {
    child,
    result,
    line: (pattern) => lineOf(child, child.stdout, () => stdout, pattern),
    errorLine: (pattern) => lineOf(child, child.stderr, () => stderr, pattern),
  }
}

function lineOf(
  child: ChildProcess,
  stream: Readable | null,
  text: () => string,
  pattern: RegExp,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const lines = text().split('\n').slice(0, -1)
      const found = lines.find((line) => pattern.test(line))
      if (found !== undefined) resolve(found)
    }
    stream?.on('data', look)
    child.once('close', () => reject(new Error(`no line ${pattern} before the end:\n${text()}`)))
    look()
  })
}

/** Runs the built command line to its end. */
export function runCLI(args: readonly string[], options: CLIOptions = {}): Promise<CLIResult> {
  return startCLI(args, options).result
}
