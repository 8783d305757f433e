import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, settings } from '@oclif/core'
import { closest } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'
import { describeFailure, failureLines } from './failure.ts'

/** The commands as people type them, for a suggestion after a misspelt one. */
const COMMANDS = [
  'replicate',
  'run',
  'restore',
  'query',
  'inspect',
  'status',
  'list',
  'verify',
  'compact',
  'snapshot',
  'retention',
  'sync',
  'start',
  'stop',
  'register',
  'unregister',
  'lease show',
  'lease release',
  'lease steal',
  'ltx list',
  'ltx show',
  'ltx dump',
  'ltx verify',
  'config check',
  'config show',
  'storage check',
] as const
const TOPICS: ReadonlySet<string> = new Set(COMMANDS.flatMap((command) => command.split(' ').slice(0, -1)))

/**
 * Runs the command line and sets `process.exitCode`.
 *
 * @param argv arguments without the program's own name
 * @param runFile `import.meta.url` of the file in `bin`
 */
export async function main(argv: readonly string[], runFile: string): Promise<void> {
  settings.enableAutoTranspile = false
  try {
    // No plugins: nothing is looked for in the home folder.
    // Output needs no waiting for: the process ends by itself once it is written, or its reader has gone.
    await run([...argv], { root: dirname(fileURLToPath(runFile)), userPlugins: false, devPlugins: false })
  } catch (error) {
    const exit = (error as { oclif?: { exit?: number } }).oclif?.exit
    if (exit === 0) return
    const failure = describeFailure(unknownCommand(argv, error) ?? error)
    process.exitCode = failure.exit
    process.stderr.write(failureLines(failure))
  }
}

/** The parser says "command x:y not found"; people want to know what there is instead. */
function unknownCommand(argv: readonly string[], error: unknown): CLIError | undefined {
  const message = (error as Error | undefined)?.message ?? ''
  if (!/^command .* not found$/.test(message)) return undefined
  const typed = argv.filter((word) => !word.startsWith('-')).slice(0, TOPICS.has(argv[0] ?? '') ? 2 : 1)
  const near = closest(typed.join(' '), COMMANDS)
  const hint =
    near === undefined ? 'sqlstream --help lists the commands' : `did you mean "sqlstream ${near}"?`
  return new CLIError('usage', `there is no command "${typed.join(' ')}"`, hint)
}
