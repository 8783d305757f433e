import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { redactUrl } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'

/** A place in some store, as the user named it. */
export interface Location {
  readonly url: URL
  /** For people: the text as typed, without credentials. */
  readonly display: string
}

/** The scheme of a URL in lower case; undefined for a plain path. */
export function schemeOf(text: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
}

/**
 * A URL, or a plain path as a short form of `file://`. Whether there is a driver is not looked at.
 *
 * @throws CLIError `bad-url`
 */
export function parseLocation(text: string): Location {
  const scheme = schemeOf(text)
  if (scheme === undefined) return { url: pathToFileURL(resolve(text)), display: text }
  // The ARN of an access point has colons, which a URL takes for the mark of a port.
  const url = URL.parse(
    text.replace(/^s3:\/\/arn:[^/]*/i, (host) => `s3://${host.slice(5).replaceAll(':', '%3A')}`),
  )
  if (url === null) throw new CLIError('bad-url', `not a URL: ${redactUrl(text)}`)
  if (scheme === 'file' && url.host !== '') {
    throw new CLIError(
      'bad-url',
      `a file:// URL needs an absolute path: ${redactUrl(text)}`,
      `write file:///${url.host}${url.pathname} or the plain path ${url.host}${url.pathname}`,
    )
  }
  return { url, display: redactUrl(text) }
}
