import { CLIError } from './cli-error.ts'
import type { Config, DatabaseConfig, FolderConfig } from './config/config.ts'
import type { Drivers } from './drivers.ts'
import type { Location } from './location.ts'
import type { Pair } from './replication.ts'

/** What flags say for every pair; it goes before the configuration. */
export type PairOptions = Pick<
  Pair,
  'syncIntervalMs' | 'onBehind' | 'onDiverged' | 'stateDir' | 'lease' | 'maintenance'
>

type FlagOptions = Pick<PairOptions, 'lease' | 'maintenance'>

/** The pairs of a command line. @throws CLIError `usage`, and those of `Drivers.locate` */
export async function pairsFromWords(
  words: readonly string[],
  drivers: Drivers,
  options: PairOptions,
): Promise<Pair[]> {
  if (words.length % 2 !== 0) {
    throw new CLIError(
      'usage',
      'each database needs a URL',
      'sqlstream replicate <db> <url> [<db> <url> ...]',
    )
  }
  const pairs: { database: string; url: string }[] = []
  for (let i = 0; i < words.length; i += 2) pairs.push({ database: words[i] ?? '', url: words[i + 1] ?? '' })
  return located(
    pairs.map((pair) => ({ ...pair, ...options })),
    drivers,
  )
}

/** The pairs of a configuration. @throws CLIError `usage`, and those of `Drivers.locate` */
export async function pairsFromConfig(
  config: Config,
  drivers: Drivers,
  options: PairOptions,
): Promise<Pair[]> {
  if (config.databases.length === 0 && config.folders.length === 0) {
    throw new CLIError(
      'usage',
      'the configuration has no databases and no folders',
      'add one to "databases", with path and url',
    )
  }
  await drivers.loadAll()
  return located(
    config.databases.map(({ path, ...entry }) => ({ ...withOptions(entry, options), database: path })),
    drivers,
  )
}

/** What a configuration says of a database or a folder, with the flags before it and its variables over those of the process. */
export function withOptions<
  Entry extends Omit<DatabaseConfig | FolderConfig, 'path'>,
  Options extends FlagOptions,
>({ environment, lease, maintenance, ...rest }: Entry, options: Options) {
  return {
    ...rest,
    ...(Object.keys(environment).length === 0 ? {} : { environment: { ...process.env, ...environment } }),
    ...options,
    lease: { ...lease, ...options.lease },
    maintenance: { ...maintenance, ...options.maintenance },
  }
}

/** Looks at all of them before the first is started: a mistake in a deployment must be seen at once. */
async function located(pairs: readonly Omit<Pair, 'display'>[], drivers: Drivers): Promise<Pair[]> {
  const locations: Location[] = []
  for (const { url } of pairs) locations.push(await drivers.locate(url))
  if (new Set(locations.map(({ url }) => url.href)).size !== locations.length) {
    throw new CLIError('usage', 'two databases cannot share one replica', 'give each its own folder')
  }
  if (pairs.length > 1 && new Set(pairs.map(({ stateDir }) => stateDir ?? {})).size !== pairs.length) {
    throw new CLIError('usage', 'two databases cannot share one folder for local state', 'give each its own')
  }
  return pairs.map((pair, i) => ({ ...pair, display: locations[i]?.display ?? '' }))
}
