import { isKeyPrefix, redactUrl, StorageError, urlParameters } from '@sqlstream/storage'
import { DRIVER } from './gcs-errors.ts'

/** Which bucket, by which way. */
export interface GCSPlace {
  readonly bucket: string
  /** Empty, or a key with a slash at its end. */
  readonly prefix: string
  /** Origin of the service, without a slash at its end. */
  readonly endpoint: string
  /** Requests go without credentials: only to an `http:` endpoint, which is an emulator. */
  readonly anonymous: boolean
  /** Project that pays for the requests, for buckets whose requester pays. */
  readonly project?: string
}

const ENDPOINT = 'https://storage.googleapis.com'
const PARAMETERS = ['endpoint', 'project']

/** Letters, digits, dashes, underscores and dots, 3 to 222 of them, as the service wants them. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/

/**
 * What a URL `gs://bucket/prefix?endpoint=…&project=…` and the environment say. `STORAGE_EMULATOR_HOST` is an
 * endpoint that the URL's goes before.
 * @throws StorageError 'invalid-config'
 */
export function gcsPlace(url: URL, env: Readonly<Record<string, string | undefined>>): GCSPlace {
  const invalid = (problem: string, hint?: string): StorageError =>
    new StorageError(`${redactUrl(url)} ${problem}`, {
      code: 'invalid-config',
      driver: DRIVER,
      operation: 'open',
      hint,
    })
  if (url.protocol !== 'gs:') throw invalid('is not a gs: URL')
  if (url.username !== '' || url.password !== '' || url.port !== '') {
    throw invalid(
      'has more than a bucket before its path',
      'Credentials come from the environment; another service is named by ?endpoint=.',
    )
  }
  if (url.hash !== '') throw invalid('has a fragment')
  if (!BUCKET.test(url.hostname)) throw invalid('names no bucket', 'Write gs://bucket/prefix.')
  // As Litestream cleans it, so that both name the same objects.
  const path = url.pathname.split('/').filter((segment) => segment !== '')
  const prefix = path.map((segment) => `${segment}/`).join('')
  if (!isKeyPrefix(prefix)) {
    throw invalid(
      'has a path that is no prefix of keys',
      'Use letters, digits, ".", "_" and "-" between slashes.',
    )
  }
  const parameters = urlParameters(url, PARAMETERS, DRIVER)
  for (const [name, value] of parameters) if (value === '') throw invalid(`has an empty ${name}`)
  const emulator = env['STORAGE_EMULATOR_HOST'] || undefined
  const named = parameters.get('endpoint')
  const endpoint = endpointOf(named ?? emulator ?? ENDPOINT)
  if (endpoint === undefined) {
    throw invalid(
      `has an endpoint that is no http: or https: URL`,
      named === undefined ? 'It comes from STORAGE_EMULATOR_HOST.' : undefined,
    )
  }
  const project = parameters.get('project')
  return {
    bucket: url.hostname,
    prefix,
    endpoint,
    anonymous: endpoint.startsWith('http:'),
    ...(project === undefined ? {} : { project }),
  }
}

/** `host:port` is a short form, as in Google's own clients; a path of the API at the end is left out. */
function endpointOf(text: string): string | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined
  return url.origin + url.pathname.replace(/\/+$/, '').replace(/\/storage\/v1$/, '')
}
