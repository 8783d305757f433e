const HIDDEN = '***'

/** Query parameters whose values are no secret. All others are hidden: drivers invent new ones. */
const HARMLESS: ReadonlySet<string> = new Set([
  'account',
  'bucket',
  'concurrency',
  'conditional-put',
  'conditionalput',
  'container',
  'create',
  'endpoint',
  'force-path-style',
  'forcepathstyle',
  'host-key',
  'key-path',
  'known-hosts',
  'layout',
  'parallelism',
  'part-size',
  'partsize',
  'prefix',
  'profile',
  'project',
  'region',
  'require-content-md5',
  'requirecontentmd5',
  'sign-payload',
  'signpayload',
  'skip-verify',
  'skipverify',
  'sse-customer-algorithm',
  'ssecustomeralgorithm',
  'storage-class',
  'storageclass',
  'tls',
  'versionid',
])

/**
 * A URL for people: user, password, fragment and every query value that is not known to be harmless are
 * replaced by `***`. Takes text that is no URL as well, and hides rather too much.
 */
export function redactUrl(url: URL | string): string {
  const text = String(url)
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0] ?? ''
  const rest = text.slice(scheme.length)
  const [beforeFragment, fragment] = splitAt(rest, '#')
  const [location, query] = splitAt(beforeFragment, '?')
  // An @ behind a ? or # may belong to a password that nobody escaped, or to anything else.
  const isAmbiguous = /[:@]/.test(location) && rest.lastIndexOf('@') > location.length
  if (isAmbiguous && !isFilePath(scheme, location)) return scheme + HIDDEN
  return (
    scheme +
    redactLocation(scheme, location) +
    (query === undefined ? '' : `?${redactQuery(query)}`) +
    (fragment === undefined ? '' : `#${HIDDEN}`)
  )
}

/**
 * Replaces credentials in free text: those of URLs, of authorization headers and of `secret=value` pairs.
 * Takes time in proportion to the text, which may be a whole answer of a server.
 */
export function redactText(text: string): string {
  return text
    .replace(/[A-Za-z][A-Za-z0-9+.-]{0,30}:\/\/[^\s"'<>`]+/g, (url) => redactUrl(url))
    .replace(
      /\b(bearer|basic|sharedkey|sharedaccesssignature)\s+(?=\S*[\d=+/._-])[^\s,;"']+/gi,
      `$1 ${HIDDEN}`,
    )
    .replace(
      /([A-Za-z_-]{0,40}(?:secret|password|passwd|pwd|token|signature|credential|accountkey|access_?key)[A-Za-z_-]{0,40})(["']?\s*[=:]\s*["']?)(?!\*)[^\s&,;"']+/gi,
      `$1$2${HIDDEN}`,
    )
}

function redactLocation(scheme: string, location: string): string {
  // The last one: a secret with an unescaped slash reaches into what looks like the path.
  const at = isFilePath(scheme, location) ? -1 : location.lastIndexOf('@')
  return at === -1 ? location : `${HIDDEN}@${location.slice(at + 1)}`
}

/** A URL without a host: an @ in it is part of a name. */
function isFilePath(scheme: string, location: string): boolean {
  return scheme.toLowerCase() === 'file://' && location.startsWith('/')
}

function redactQuery(query: string): string {
  return query
    .split('&')
    .map((pair) => {
      const [name, value] = splitAt(pair, '=')
      if (value === undefined) return isHarmless(name) ? name : HIDDEN
      return `${name}=${isHarmless(name) ? redactUrl(decode(value)) : HIDDEN}`
    })
    .join('&')
}

function isHarmless(name: string): boolean {
  return HARMLESS.has(decode(name).toLowerCase())
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function splitAt(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}
