import type { TokenCredential } from '@azure/identity'
import { closest, isKeyPrefix, redactUrl, StorageError, urlParameters } from '@sqlstream/storage'
import { type AzureAccount, parseConnectionString } from './connection-string.ts'
import { DRIVER } from './service-errors.ts'

/** URL schemes that mean this driver: Litestream's and the Go CDK's. */
export const SCHEMES: readonly string[] = ['abs', 'azblob']

/** Where the objects are, and as whom to ask for them. */
export interface AzureStoreOptions extends AzureAccount {
  readonly container: string
  /** All keys are below it; empty or a legal key with a slash at its end. Default: empty. */
  readonly prefix?: string | undefined
  /** Where there is neither `sasToken` nor `accountKey`. Default: `DefaultAzureCredential` of `@azure/identity`. */
  readonly credential?: TokenCredential | undefined
  /** Requests at once, an integer from 1. Default: 64. */
  readonly concurrency?: number | undefined
  /** Milliseconds, from 1, that a request may take, and the next bytes of a body that is read. Default: 30,000. */
  readonly timeoutMs?: number | undefined
  /** An upload may take a second more for so many bytes; an integer from 1. Default: 65,536. */
  readonly leastBytesPerSecond?: number | undefined
}

/** What `azureOptions` looks at: `process.env` fits. */
export type Environment = Readonly<Record<string, string | undefined>>

const PARAMETERS = ['account', 'concurrency', 'endpoint']
const ACCOUNT_HINT =
  'Put it before the container, as in ACCOUNT@CONTAINER/PATH, or set AZURE_STORAGE_ACCOUNT.'
const SECRET_HINT =
  'Put secrets into the environment: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING.'

/**
 * The options that a URL and the environment give. `abs://[ACCOUNT@]CONTAINER[/PATH][?account=…&endpoint=…&concurrency=…]`;
 * the README has the variables and which goes first.
 * @throws StorageError 'invalid-config', without any secret
 */
export function azureOptions(url: URL, env: Environment): AzureStoreOptions {
  const refuse = (problem: string, hint?: string): StorageError =>
    invalid(`${redactUrl(url)} ${problem}`, hint)
  const scheme = url.protocol.slice(0, -1)
  if (!SCHEMES.includes(scheme)) {
    const near = closest(scheme, SCHEMES) ?? SCHEMES[0]
    throw refuse(`is not an ${SCHEMES[0]}: URL`, `Did you mean ${near}://?`)
  }
  if (url.password !== '') throw refuse('has a password', SECRET_HINT)
  if (url.port !== '') throw refuse('has a port', 'A port belongs into ?endpoint=http://HOST:PORT.')
  if (url.hash !== '') throw refuse('has a fragment', 'Write # as %23.')
  const parameters = urlParameters(url, PARAMETERS, DRIVER)
  const container = decodeURIComponent(url.hostname)
  if (!isContainerName(container)) {
    throw refuse('names no container', 'A container has 3 to 63 of a-z, 0-9 and single hyphens.')
  }
  const user = decodeURIComponent(url.username)
  const named = user || parameters.get('account') || undefined
  if (user !== '' && (parameters.get('account') ?? user) !== user) throw refuse('names two accounts')
  return {
    container,
    prefix: prefixOf(url, refuse),
    ...accountOf(named, parameters.get('endpoint') || undefined, env, refuse),
    ...concurrencyOf(parameters.get('concurrency'), refuse),
  }
}

type Refuse = (problem: string, hint?: string) => StorageError

function accountOf(
  named: string | undefined,
  endpoint: string | undefined,
  env: Environment,
  refuse: Refuse,
): AzureAccount {
  const sasToken = env['LITESTREAM_AZURE_SAS_TOKEN'] || env['AZURE_STORAGE_SAS_TOKEN'] || undefined
  const accountKey =
    env['LITESTREAM_AZURE_ACCOUNT_KEY'] ||
    env['AZURE_STORAGE_KEY'] ||
    env['AZURE_STORAGE_ACCOUNT_KEY'] ||
    undefined
  const text = env['AZURE_STORAGE_CONNECTION_STRING']
  if (text && sasToken === undefined && accountKey === undefined) {
    const connection = parseConnectionString(text)
    if (named !== undefined && connection.account !== undefined && named !== connection.account) {
      throw refuse(`and AZURE_STORAGE_CONNECTION_STRING name two accounts: ${named}, ${connection.account}`)
    }
    return complete({
      ...connection,
      account: named ?? connection.account,
      endpoint: endpoint ?? connection.endpoint,
    })
  }
  const account = named ?? (env['AZURE_STORAGE_ACCOUNT'] || env['AZURE_STORAGE_ACCOUNT_NAME'] || undefined)
  // The account key can do everything, a SAS what it was made for: who sets both means the latter.
  const secret = sasToken === undefined ? { accountKey } : { sasToken }
  return complete({
    account,
    endpoint: endpoint ?? (env['AZURE_STORAGE_SERVICE_ENDPOINT'] || undefined),
    ...secret,
  })
}

/**
 * The account with its endpoint, both checked.
 * @throws StorageError 'invalid-config'
 */
export function complete(account: AzureAccount): AzureAccount & { readonly endpoint: string } {
  const { accountKey, sasToken } = account
  const name = account.account ?? /^https?:\/\/([a-z0-9]{3,24})\.blob\./.exec(account.endpoint ?? '')?.[1]
  if (name !== undefined && !/^[a-z0-9]{3,24}$/.test(name)) {
    throw invalid('the account name is not one', 'It has 3 to 24 of a-z and 0-9.')
  }
  if (name === undefined && (account.endpoint === undefined || accountKey !== undefined)) {
    throw invalid('no storage account is named', ACCOUNT_HINT)
  }
  if (accountKey !== undefined && !/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey)) {
    throw invalid('the account key is not base64', 'Copy it again: az storage account keys list.')
  }
  const endpoint = endpointOf(account.endpoint, name)
  if (accountKey === undefined && sasToken === undefined && endpoint.startsWith('http:')) {
    throw invalid('there is no key for an http: endpoint', `Sign-in tokens need https:. ${SECRET_HINT}`)
  }
  return {
    endpoint,
    ...(name === undefined ? {} : { account: name }),
    ...(accountKey === undefined ? {} : { accountKey }),
    ...(sasToken === undefined ? {} : { sasToken: sasToken.replace(/^\?/, '') }),
  }
}

function endpointOf(text: string | undefined, account: string | undefined): string {
  if (text === undefined) return `https://${account}.blob.core.windows.net`
  const url = URL.parse(text)
  const isService = url !== null && (url.protocol === 'https:' || url.protocol === 'http:')
  if (!isService || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalid(
      `the endpoint ${redactUrl(text)} is not the address of a service`,
      'Write https://ACCOUNT.blob.core.windows.net, or http://127.0.0.1:10000/devstoreaccount1 for Azurite.',
    )
  }
  const path = url.pathname.replace(/\/+$/, '')
  // An emulator has the account in the path, for want of names.
  const isAddress = url.hostname === 'localhost' || /^[\d.]+$|^\[/.test(url.hostname)
  return url.origin + (path === '' && isAddress && account !== undefined ? `/${account}` : path)
}

function prefixOf(url: URL, refuse: Refuse): string {
  let path: string
  try {
    path = decodeURIComponent(url.pathname)
  } catch {
    throw refuse('has a path with a broken % escape')
  }
  const segments = path.split('/').filter((segment) => segment !== '')
  const prefix = segments.map((segment) => `${segment}/`).join('')
  if (!isKeyPrefix(prefix)) {
    throw refuse('has a path that is no prefix of keys', 'Use letters, digits, ".", "_" and "-".')
  }
  return prefix
}

function concurrencyOf(text: string | undefined, refuse: Refuse): { readonly concurrency?: number } {
  if (text === undefined) return {}
  if (!/^[1-9]\d{0,3}$/.test(text)) throw refuse('has a concurrency that is no integer from 1 to 9999')
  return { concurrency: Number(text) }
}

/** The names of the service, and its own special containers. */
export function isContainerName(name: string): boolean {
  return /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name) || /^\$(?:root|web|logs)$/.test(name)
}

export function invalid(problem: string, hint?: string): StorageError {
  return new StorageError(problem, { code: 'invalid-config', driver: DRIVER, operation: 'open', hint })
}
