import { CLIError } from './cli-error.ts'
import type { MetricsConfig } from './config/config.ts'
import type { ConfigFileResult } from './config/read-config.ts'
import type { Drivers } from './drivers.ts'
import type { WatchedFolder } from './folder-replication.ts'
import { foldersFromConfig } from './folders.ts'
import type { Limits } from './limits.ts'
import type { EventLines } from './output/event-lines.ts'
import { configWarningJSON } from './output/events.ts'
import { type PairOptions, pairsFromConfig, pairsFromWords } from './pairs.ts'
import type { Pair } from './replication.ts'

/** What is to be replicated, and what a configuration says of the process that does it. */
export interface Work {
  readonly pairs: readonly Pair[]
  readonly folders: readonly WatchedFolder[]
  readonly socket?: string
  readonly metrics?: MetricsConfig
  readonly limits?: Limits
  /** The application that `run` starts: a program and its arguments. */
  readonly exec?: readonly string[]
}

/** Where what is to be replicated is looked for. */
export interface WorkOptions {
  /** The file of `--config` or of SQLSTREAM_CONFIG. */
  readonly file: string | undefined
  /** What to write instead of a file, for people who have neither. */
  readonly usage: string
  readonly lines: EventLines
  /** For URLs that were written out. */
  readonly drivers: Drivers
  /** Takes the drivers that the file names. */
  readonly useDrivers: (result: ConfigFileResult) => Drivers
}

/**
 * Pairs that were written out, else what a configuration file says.
 * @throws CLIError `usage`, `file-missing`, `bad-config`, and those of `Drivers.locate`
 */
export async function workOf(
  words: readonly string[],
  options: PairOptions,
  where: WorkOptions,
): Promise<Work> {
  if (words.length === 0) return await workFromConfig(options, where)
  return { pairs: await pairsFromWords(words, where.drivers, options), folders: [] }
}

/** With the flags before what the file says. Warnings are told. */
async function workFromConfig(options: PairOptions, where: WorkOptions): Promise<Work> {
  const { noteText, readConfigFile, usableConfig } = await import('./config/read-config.ts')
  const { lines } = where
  const result = await readConfigFile(where.file)
  if (result === undefined) {
    throw new CLIError(
      'usage',
      'nothing to replicate: no database and URL, and no configuration file',
      `${where.usage}, or write a sqlstream.yml`,
    )
  }
  const config = usableConfig(result)
  const drivers = where.useDrivers(result)
  for (const warning of result.warnings) {
    const { file } = result
    const hint = warning.hint === undefined ? '' : `; ${warning.hint}`
    lines.event(configWarningJSON(file, new Date(), warning), `warning: ${noteText(file, warning)}${hint}`)
  }
  const pairs = await pairsFromConfig(config, drivers, options)
  const { stateDir: _, ...rest } = options
  const { socket, metrics, limits, exec } = config
  return {
    pairs,
    folders: await foldersFromConfig(config, drivers, rest),
    ...(socket !== undefined && { socket }),
    ...(metrics !== undefined && { metrics }),
    ...(limits !== undefined && { limits }),
    ...(exec !== undefined && { exec }),
  }
}
