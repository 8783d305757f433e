import { StorageError } from '@sqlstream/storage'
import { DRIVER } from './service-errors.ts'

/** An account of the service, and how to sign in. A SAS goes before a key. */
export interface AzureAccount {
  /** Name of the storage account. Needed with `accountKey` and where there is no `endpoint`. */
  readonly account?: string | undefined
  /** Address of its blob service. Default: `https://ACCOUNT.blob.core.windows.net`. */
  readonly endpoint?: string | undefined
  /** Base64, as the portal shows it. */
  readonly accountKey?: string | undefined
  /** A shared access signature, with or without its `?`. */
  readonly sasToken?: string | undefined
}

/** What `UseDevelopmentStorage=true` stands for. The key is in every manual of the emulator. */
const DEVELOPMENT: AzureAccount = {
  account: 'devstoreaccount1',
  endpoint: 'http://127.0.0.1:10000/devstoreaccount1',
  accountKey: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
}

/**
 * `Name=value;…` as the portal gives it.
 * @throws StorageError 'invalid-config', which shows none of it
 */
export function parseConnectionString(text: string): AzureAccount {
  const fields = new Map<string, string>()
  for (const pair of text.split(';').filter((each) => each.trim() !== '')) {
    const at = pair.indexOf('=')
    if (at < 1) throw invalid('is not a list of NAME=VALUE')
    fields.set(pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim())
  }
  if (fields.get('usedevelopmentstorage')?.toLowerCase() === 'true') return DEVELOPMENT
  const account = fields.get('accountname')
  const accountKey = fields.get('accountkey')
  const sasToken = fields.get('sharedaccesssignature')
  if (accountKey === undefined && sasToken === undefined) {
    throw invalid('has neither an AccountKey nor a SharedAccessSignature')
  }
  const protocol = fields.get('defaultendpointsprotocol') ?? 'https'
  const suffix = fields.get('endpointsuffix')
  const endpoint =
    fields.get('blobendpoint') ??
    (account === undefined || suffix === undefined ? undefined : `${protocol}://${account}.blob.${suffix}`)
  if (account === undefined && endpoint === undefined) {
    throw invalid('has neither an AccountName nor a BlobEndpoint')
  }
  return { account, endpoint, ...(sasToken === undefined ? { accountKey } : { sasToken }) }
}

function invalid(problem: string): StorageError {
  return new StorageError(`the connection string ${problem}`, {
    code: 'invalid-config',
    driver: DRIVER,
    operation: 'open',
    hint: 'Copy it again: az storage account show-connection-string.',
  })
}
