import type { MaintenanceOptions } from '@sqlstream/replica-core'
import type { Limits } from '../limits.ts'

/** How the single writer of a replica is made sure of. */
export interface LeaseConfig {
  /** How long a lease holds without renewal, in milliseconds. */
  readonly ttlMs?: number
  /** The operator answers for it: for stores without conditional puts. */
  readonly soleWriter?: boolean
}

/** One database and where it goes. */
export interface DatabaseConfig {
  /** Absolute. */
  readonly path: string
  /** With the options of the store as query parameters; may hold credentials. */
  readonly url: string
  readonly syncIntervalMs?: number
  readonly onBehind?: 'refuse' | 'snapshot'
  readonly onDiverged?: 'refuse' | 'snapshot'
  /** Absolute. */
  readonly stateDir?: string
  readonly lease: LeaseConfig
  /** Merging, retention and verification, where the file says something about them. */
  readonly maintenance?: MaintenanceOptions
  /** Variables for the driver, over those of the process. All of them count as secrets. */
  readonly environment: Readonly<Record<string, string>>
}

/** A folder whose databases are replicated, and where they go. */
export interface FolderConfig extends Omit<DatabaseConfig, 'stateDir'> {
  /** Globs of names, or of paths below the folder. */
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /** Default true. */
  readonly recursive?: boolean
  readonly maxOpen?: number
  readonly restAfterMs?: number
}

/** What a configuration file says, whatever its format. */
export interface Config {
  /** Names of packages, or paths of modules, relative to the folder of the file. */
  readonly drivers: readonly string[]
  readonly databases: readonly DatabaseConfig[]
  readonly folders: readonly FolderConfig[]
  /** Where a running process takes commands, absolute; `never`: nowhere. */
  readonly socket?: string
  /** Where metrics are offered, and whether there is a number for each database. */
  readonly metrics?: MetricsConfig
  /** What all databases may take together. */
  readonly limits?: Limits
  /** The application that `sqlstream run` starts: a program and its arguments. */
  readonly exec?: readonly string[]
}

/** How a running process tells its figures. */
export interface MetricsConfig {
  /** A port of this machine, or an address and a port. */
  readonly listen: string
  readonly perDatabase: boolean
}

/** Where in a file something is: keys and indexes from the top. */
export type ConfigPath = readonly (string | number)[]

/** What is wrong with a file, or what is not heeded in it. */
export interface ConfigProblem {
  readonly path: ConfigPath
  /** One sentence without the key and the line. */
  readonly message: string
  readonly hint?: string
}

/** `databases[0].lease.ttl` */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}

/** What is said at the top of a file is looked at for each database, and found as often. */
export function withoutRepeats(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return [...new Map(problems.map((problem) => [formatPath(problem.path), problem])).values()]
}
