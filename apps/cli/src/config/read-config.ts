import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { redactText } from '@sqlstream/storage'
import { CLIError } from '../cli-error.ts'
import type { Config } from './config.ts'
import { type ConfigNote, type ParsedConfig, parseConfig } from './parse-config.ts'

/** Where a configuration is looked for when none is named; the first that exists. */
export const DEFAULT_PLACES: readonly string[] = [
  'sqlstream.yml',
  'sqlstream.json',
  '/etc/sqlstream.yml',
  '/etc/sqlstream.json',
]

/** A file that was read. */
export interface ConfigFileResult extends ParsedConfig {
  /** As it was named. */
  readonly file: string
  /** Absolute. */
  readonly folder: string
}

/**
 * Reads a configuration file, or the first of the default places. Undefined when none was named and none is there.
 *
 * @throws CLIError `file-missing`
 */
export async function readConfigFile(named: string | undefined): Promise<ConfigFileResult | undefined> {
  for (const file of named === undefined ? DEFAULT_PLACES : [named]) {
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      continue
    }
    const folder = dirname(resolve(file))
    const surroundings = {
      variables: { ...process.env, PID: String(process.pid) },
      folder,
      cwd: process.cwd(),
      home: homedir(),
    }
    return { file, folder, ...parseConfig(text, surroundings) }
  }
  if (named === undefined) return undefined
  throw new CLIError('file-missing', `there is no configuration file ${named}`)
}

/** The same, for who cannot do without. @throws CLIError `file-missing` */
export async function neededConfigFile(named: string | undefined): Promise<ConfigFileResult> {
  const result = await readConfigFile(named)
  if (result !== undefined) return result
  const places = DEFAULT_PLACES.join(', ')
  throw new CLIError(
    'file-missing',
    'there is no configuration file',
    `name one; otherwise these are tried: ${places}`,
  )
}

/** The configuration of a file that was read. @throws CLIError `bad-config` for the first problem */
export function usableConfig(result: ConfigFileResult): Config {
  const [first, ...more] = result.problems
  if (first === undefined && result.config !== undefined) return result.config
  const others = more.length === 0 ? '' : `, and ${more.length} more`
  throw new CLIError(
    'bad-config',
    `${noteText(result.file, first ?? { key: '', message: 'is empty' })}${others}`,
    first?.hint ?? 'sqlstream config check shows all that is wrong',
  )
}

/** A note as a line: place in the file, key, what it is. */
export function noteText(file: string, { line, key, message }: ConfigNote): string {
  const place = line === undefined ? file : `${file}:${line}`
  return redactText(`${place}: ${key === '' ? '' : `${key} `}${message}`)
}
