import { createHash } from 'node:crypto'
import { basename, dirname, extname } from 'node:path/posix'
import { MAX_SEGMENT_LENGTH } from '@sqlstream/storage'

/** What stands for a part of a database's path in a destination. */
const PLACEHOLDERS: Readonly<Record<string, (relpath: string) => string>> = {
  relpath: (relpath) => relpath,
  dir: (relpath) => (dirname(relpath) === '.' ? '' : dirname(relpath)),
  name: (relpath) => basename(relpath),
  stem: (relpath) => basename(relpath, extname(relpath)),
}

/** Names that a template may have in braces. */
export const PLACEHOLDER_NAMES: readonly string[] = Object.keys(PLACEHOLDERS)

/** The placeholders of a template that are none. */
export function unknownPlaceholders(template: string): string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)]
    .map(([, name = '']) => name)
    .filter((name) => PLACEHOLDERS[name] === undefined)
}

/**
 * The folder in a store where a database goes: the template with its placeholders filled in, and a slash at its end. Without a
 * placeholder, the relative path is added. Characters that keys cannot have become `_x` and two hexadecimal digits for each byte. A
 * name that is too long for a key then is cut, and ends with 32 hexadecimal digits of its SHA-256.
 *
 * @param template a path in the store, as `tenants/{dir}/{stem}`
 * @param relpath of the database, with slashes
 */
export function destinationOf(template: string, relpath: string): string {
  const whole = /\{[^{}]*\}/.test(template) ? template : `${template}/{relpath}`
  const filled = whole.replace(/\{([^{}]*)\}/g, (text, name: string) =>
    (PLACEHOLDERS[name]?.(relpath) ?? text).split('/').map(escapeSegment).join('/'),
  )
  return `${filled.split('/').filter(Boolean).map(shorten).join('/')}/`
}

/** A file's name may have as many bytes as a segment of a key, and each may have become four. */
function shorten(segment: string): string {
  if (segment.length <= MAX_SEGMENT_LENGTH) return segment
  const digits = createHash('sha256').update(segment).digest('hex').slice(0, 32)
  return `${segment.slice(0, MAX_SEGMENT_LENGTH - 1 - digits.length)}_${digits}`
}

function escapeSegment(segment: string): string {
  if (segment === '.' || segment === '..') return segment.replaceAll('.', '_x2e')
  return segment.replace(/[^A-Za-z0-9._-]/gu, (character) =>
    [...new TextEncoder().encode(character)]
      .map((byte) => `_x${byte.toString(16).padStart(2, '0')}`)
      .join(''),
  )
}
