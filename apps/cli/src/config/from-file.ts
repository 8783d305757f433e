import { resolve } from 'node:path'
import { parseDuration } from '../duration.ts'
import { schemeOf } from '../location.ts'
import { type Config, type ConfigProblem, type DatabaseConfig, withoutRepeats } from './config.ts'
import type { ConfigFile } from './file-schema.ts'
import { maintenanceOf } from './maintenance.ts'

type DatabaseEntry = ConfigFile['databases'][number]

/** Makes a configuration of our own file: paths from its folder, durations in milliseconds, store options in the URL. */
export function fromFile(
  file: ConfigFile,
  folder: string,
): { readonly config: Config; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const databases = file.databases.map((entry, i): DatabaseConfig => {
    const { url, duplicates } = urlWith(entry, folder)
    for (const name of duplicates) {
      problems.push({
        path: ['databases', i, 'store', name],
        message: 'is in the URL as well',
        hint: 'say it once',
      })
    }
    const found = maintenanceOf(file, entry, ['databases', i])
    problems.push(...found.problems)
    const ttl = entry.lease?.ttl
    return {
      path: resolve(folder, entry.path),
      url,
      ...(entry.syncInterval === undefined ? {} : { syncIntervalMs: parseDuration(entry.syncInterval) }),
      ...(entry.onBehind === undefined ? {} : { onBehind: entry.onBehind }),
      ...(entry.onDiverged === undefined ? {} : { onDiverged: entry.onDiverged }),
      ...(entry.stateDir === undefined ? {} : { stateDir: resolve(folder, entry.stateDir) }),
      lease: {
        ...(ttl === undefined ? {} : { ttlMs: parseDuration(ttl) }),
        ...(entry.lease?.soleWriter === undefined ? {} : { soleWriter: entry.lease.soleWriter }),
      },
      ...(found.maintenance === undefined ? {} : { maintenance: found.maintenance }),
      environment: texts(entry.env ?? {}),
    }
  })
  return { config: { drivers: file.drivers ?? [], databases }, problems: withoutRepeats(problems) }
}

/** The URL of an entry with its store options; a plain path becomes absolute. */
function urlWith(
  entry: DatabaseEntry,
  folder: string,
): { readonly url: string; readonly duplicates: readonly string[] } {
  const options = Object.entries(texts(entry.store ?? {}))
  if (schemeOf(entry.url) === undefined && options.length === 0) {
    return { url: resolve(folder, entry.url), duplicates: [] }
  }
  return withParameters(
    schemeOf(entry.url) === undefined ? `file://${resolve(folder, entry.url)}` : entry.url,
    options,
  )
}

/** A URL with more query parameters, and the names of those that it has already. */
export function withParameters(
  text: string,
  parameters: readonly (readonly [name: string, value: string])[],
): { readonly url: string; readonly duplicates: readonly string[] } {
  // Not by way of URL: it would change what others have to find wrong with it.
  const [, before = '', query = '', fragment = ''] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(text) ?? []
  const present = new URLSearchParams(query)
  const more = new URLSearchParams(parameters.map(([name, value]) => [name, value]))
  const queries = [query, more.toString()].filter((each) => each !== '')
  return {
    url: before + (queries.length === 0 ? '' : `?${queries.join('&')}`) + fragment,
    duplicates: [...more.keys()].filter((name) => present.has(name)),
  }
}

function texts(values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
