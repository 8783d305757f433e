import { homedir } from 'node:os'
import { CLIError } from '../cli-error.ts'
import type { Config } from './config.ts'
import { parseConfig } from './parse-config.ts'

/** How errors of a configuration object name its keys. */
export interface ObjectNaming {
  /** It is one database or one folder: without the list around it, and `path` by its own name. */
  readonly short: boolean
}

/**
 * A configuration that a program gives, of the shape of `sqlstream.yml`. Texts are taken as they are: no variables are put in.
 *
 * @param folder relative paths are relative to it
 * @throws CLIError `bad-config`
 */
export function configOfObject(value: unknown, folder: string, { short }: ObjectNaming): Config {
  const text = JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'string' ? each.replaceAll('$', '$$$$') : each,
  )
  const { config, problems } = parseConfig(text, { variables: {}, folder, cwd: folder, home: homedir() })
  const [first, ...more] = problems
  if (first === undefined && config !== undefined) return config
  const { key = '', message = 'is empty', hint } = first ?? {}
  const place = short ? shortKey(key) : key
  const others = more.length === 0 ? '' : `, and ${more.length} more`
  throw new CLIError('bad-config', `${place === '' ? 'the configuration' : place} ${message}${others}`, hint)
}

function shortKey(key: string): string {
  return key
    .replace(/^databases\[0\]\.path$/, 'database')
    .replace(/^folders\[0\]\.path$/, 'folder')
    .replace(/^(databases|folders)\[0\]\.?/, '')
}
