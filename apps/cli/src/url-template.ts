import { destinationOf, PLACEHOLDER_NAMES, unknownPlaceholders } from '@sqlstream/replica-core'
import { closest } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'
import { schemeOf } from './location.ts'

/** Where the databases of a folder go: a place, and a path below it for each. */
export interface URLTemplate {
  /** URL or path of the place, with the query parameters of the whole. */
  readonly base: string
  readonly template: string
}

const EXAMPLE = 'for example s3://bucket/{relpath}'

/**
 * Splits at the last slash before the first placeholder. Without a placeholder everything is the place, and `{relpath}` the template.
 *
 * @throws CLIError `usage`
 */
export function splitTemplate(text: string): URLTemplate {
  const scheme = schemeOf(text)
  const head = scheme === undefined ? '' : text.slice(0, scheme.length + 3)
  const rest = text.slice(head.length)
  // A plain path may have a question mark in it.
  const end = scheme === undefined ? -1 : rest.search(/[?#]/)
  const path = end === -1 ? rest : rest.slice(0, end)
  const query = end === -1 ? '' : rest.slice(end)
  check(path, head)
  const first = path.indexOf('{')
  if (first === -1) return { base: text, template: '{relpath}' }
  const slash = path.lastIndexOf('/', first)
  if (slash === -1 && head !== '') {
    throw new CLIError('usage', 'a placeholder may stand in the path of a URL only', EXAMPLE)
  }
  // A slash at the end stays where it is the whole path: two of them are the top folder for sftp.
  const before = path.slice(0, slash + 1)
  const place = /[^/]/.test(head === '' ? before : before.replace(/^[^/]*/, ''))
    ? before.slice(0, -1)
    : before
  const base = head + place
  return { base: (base === '' ? '.' : base) + query, template: path.slice(slash + 1) }
}

/** The URL of one database's replica, for people. */
export function displayOf(baseDisplay: string, destination: string): string {
  const end = schemeOf(baseDisplay) === undefined ? -1 : baseDisplay.search(/[?#]/)
  const place = end === -1 ? baseDisplay : baseDisplay.slice(0, end)
  const query = end === -1 ? '' : baseDisplay.slice(end)
  return `${place.replace(/\/$/, '')}/${destination.replace(/\/$/, '')}${query}`
}

function check(path: string, head: string): void {
  const [unknown] = unknownPlaceholders(path)
  const known = PLACEHOLDER_NAMES.map((name) => `{${name}}`).join(', ')
  if (unknown !== undefined) {
    const near = closest(unknown, PLACEHOLDER_NAMES)
    throw new CLIError(
      'usage',
      `there is no placeholder {${unknown}}`,
      near === undefined ? `there are ${known}` : `did you mean {${near}}?`,
    )
  }
  const plain = path.replaceAll(/\{[^{}]*\}/g, '')
  if (/[{}]/.test(plain))
    throw new CLIError('usage', 'a brace has no counterpart', `placeholders are ${known}`)
  const first = path.indexOf('{')
  if (first === -1) return
  const template = path.slice(path.lastIndexOf('/', first) + 1)
  const illegal = /[^A-Za-z0-9._/{}-]/.exec(template)?.[0]
  const segments = destinationOf(template, 'a').split('/')
  if (illegal !== undefined || segments.some((segment) => segment === '.' || segment === '..')) {
    throw new CLIError(
      'usage',
      `${head === '' ? 'the path' : 'the URL'} has ${JSON.stringify(illegal ?? '..')} after its first folder with a placeholder`,
      'letters, digits, ".", "_" and "-" can stand there, between slashes',
    )
  }
}
