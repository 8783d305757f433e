import { resolve } from 'node:path'
import { parseByteSize } from '../byte-size.ts'
import { CLIError } from '../cli-error.ts'
import { parseDuration } from '../duration.ts'
import { checkPatterns } from '../folders.ts'
import type { Limits } from '../limits.ts'
import { schemeOf } from '../location.ts'
import { parseListenAddress } from '../metrics/endpoint.ts'
import { splitTemplate } from '../url-template.ts'
import {
  type Config,
  type ConfigPath,
  type ConfigProblem,
  type DatabaseConfig,
  type FolderConfig,
  type MetricsConfig,
  withoutRepeats,
} from './config.ts'
import type { ConfigFile } from './file-schema.ts'
import { maintenanceOf } from './maintenance.ts'
import { splitWords } from './split-words.ts'

type DatabaseEntry = NonNullable<ConfigFile['databases']>[number]
type FolderEntry = NonNullable<ConfigFile['folders']>[number]

/** Makes a configuration of our own file: paths from its folder, durations in milliseconds, store options in the URL. */
export function fromFile(
  file: ConfigFile,
  folder: string,
): { readonly config: Config; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  if (file.databases === undefined && file.folders === undefined) {
    problems.push({ path: ['databases'], message: 'is missing: expected a list of databases, or folders' })
  }
  function settingsOf(entry: DatabaseEntry | FolderEntry, at: ConfigPath): Omit<DatabaseConfig, 'path'> {
    const { url, duplicates } = urlWith(entry, folder)
    for (const name of duplicates) {
      problems.push({
        path: [...at, 'store', name],
        message: 'is in the URL as well',
        hint: 'say it once',
      })
    }
    const found = maintenanceOf(file, entry, at)
    problems.push(...found.problems)
    const ttl = entry.lease?.ttl
    return {
      url,
      ...(entry.syncInterval === undefined ? {} : { syncIntervalMs: parseDuration(entry.syncInterval) }),
      ...(entry.onBehind === undefined ? {} : { onBehind: entry.onBehind }),
      ...(entry.onDiverged === undefined ? {} : { onDiverged: entry.onDiverged }),
      lease: {
        ...(ttl === undefined ? {} : { ttlMs: parseDuration(ttl) }),
        ...(entry.lease?.soleWriter === undefined ? {} : { soleWriter: entry.lease.soleWriter }),
      },
      ...(found.maintenance === undefined ? {} : { maintenance: found.maintenance }),
      environment: texts(entry.env ?? {}),
    }
  }
  const databases = (file.databases ?? []).map((entry, i): DatabaseConfig => {
    const { stateDir } = entry
    return {
      path: resolve(folder, entry.path),
      ...settingsOf(entry, ['databases', i]),
      ...(stateDir === undefined ? {} : { stateDir: resolve(folder, stateDir) }),
    }
  })
  const folders = (file.folders ?? []).map((entry, i): FolderConfig => {
    const at = ['folders', i]
    const { include, exclude, recursive, maxOpen, restAfter } = entry
    const checks = {
      url: () => splitTemplate(entry.url),
      include: () => checkPatterns({ ...(include && { include }) }),
      exclude: () => checkPatterns({ ...(exclude && { exclude }) }),
    }
    for (const [key, check] of Object.entries(checks)) problems.push(...problemOf(check, [...at, key]))
    return {
      path: resolve(folder, entry.path),
      ...settingsOf(entry, at),
      ...(include && { include }),
      ...(exclude && { exclude }),
      ...(recursive === undefined ? {} : { recursive }),
      ...(maxOpen === undefined ? {} : { maxOpen }),
      ...(restAfter === undefined ? {} : { restAfterMs: parseDuration(restAfter) }),
    }
  })
  if (file.metrics !== undefined) {
    const { listen } = metricsOf(file.metrics)
    problems.push(...problemOf(() => parseListenAddress(listen), ['metrics']))
  }
  const exec = file.exec === undefined ? undefined : execOf(file.exec)
  problems.push(...(exec?.problems ?? []))
  const socket =
    file.socket === undefined || file.socket === 'never' ? file.socket : resolve(folder, file.socket)
  const config = {
    drivers: file.drivers ?? [],
    databases,
    folders,
    ...(socket !== undefined && { socket }),
    ...(file.metrics !== undefined && { metrics: metricsOf(file.metrics) }),
    ...(file.limits !== undefined && { limits: limitsFrom(file.limits) }),
    ...(exec?.words && { exec: exec.words }),
  }
  return { config, problems: withoutRepeats(problems) }
}

/** The words of a command that is one text, or a list of them already. */
export function execOf(value: string | readonly (string | number | boolean)[]): {
  readonly words?: readonly string[]
  readonly problems: readonly ConfigProblem[]
} {
  let words: readonly string[] = []
  const problems = problemOf(() => {
    words = typeof value === 'string' ? splitWords(value) : value.map(String)
    if ((words[0] ?? '') === '') throw new CLIError('usage', 'it names no program')
  }, ['exec'])
  return problems.length > 0 ? { problems } : { words, problems }
}

function limitsFrom({
  spool,
  diskReserve,
  uploadMemory,
  ...rest
}: NonNullable<ConfigFile['limits']>): Limits {
  return {
    ...(spool !== undefined && { spoolBytes: parseByteSize(spool) }),
    ...(diskReserve !== undefined && { diskReserveBytes: parseByteSize(diskReserve) }),
    ...(uploadMemory !== undefined && { uploadMemoryBytes: parseByteSize(uploadMemory) }),
    ...rest,
  }
}

function metricsOf(metrics: NonNullable<ConfigFile['metrics']>): MetricsConfig {
  return typeof metrics === 'object'
    ? { listen: String(metrics.listen), perDatabase: metrics.perDatabase ?? false }
    : { listen: String(metrics), perDatabase: false }
}

/** What a check finds wrong at a place of the file. */
export function problemOf(check: () => unknown, path: ConfigPath): ConfigProblem[] {
  try {
    check()
    return []
  } catch (error) {
    if (!(error instanceof CLIError)) throw error
    const { message, hint } = error
    return [{ path, message: `makes no sense: ${message}`, ...(hint === undefined ? {} : { hint }) }]
  }
}

/** The URL of an entry with its store options; a plain path becomes absolute. */
function urlWith(
  entry: DatabaseEntry | FolderEntry,
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
