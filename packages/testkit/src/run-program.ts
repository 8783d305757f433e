import { spawn } from 'node:child_process'

/** What a program printed. */
export interface ProgramOutput {
  readonly stdout: string
  readonly stderr: string
}

/** How to run a program. */
export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Text for its standard input. */
  readonly input?: string
  /** After this the program is killed. Default 60 s. */
  readonly timeoutMs?: number
}

/**
 * Runs a program to its end.
 *
 * @throws Error with what it printed when its exit code is not 0 or it took too long
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProgramOutput> {
  const { env = process.env, input = '', timeoutMs = 60_000 } = options
  const child = spawn(program, args, { env, stdio: 'pipe', timeout: timeoutMs, killSignal: 'SIGKILL' })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A program that ends before it has read its input is judged by its exit code.
  child.stdin.on('error', () => undefined).end(input)
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal]))
  })
  if (code === 0) return { stdout, stderr }
  const end = signal === null ? `exit code ${code}` : `${signal} (limit ${timeoutMs} ms)`
  throw new Error(`${program} ${args.join(' ')}: ${end}\n${stderr}${stdout}`.trimEnd())
}
