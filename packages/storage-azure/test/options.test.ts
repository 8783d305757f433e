import type { StorageError } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { azureDriver, azureOptions, type Environment, openAzureStore } from '../src/index.ts'

const key = 'c2VjcmV0LWtleS1vZi10aGlz'
const other = 'b3RoZXItc2VjcmV0LWtleQ=='
const sas = 'sv=2025-01-01&sp=rwld&sig=sEcReT%2Bsignature'
const cloud = (account: string) => `https://${account}.blob.core.windows.net`
const AZURITE = 'http://127.0.0.1:10000/devstoreaccount1'

describe('what a URL and the environment mean', () => {
  test.each<[url: string, env: Environment, options: Record<string, unknown>]>([
    // Where.
    ['abs://acct@box', {}, { account: 'acct', container: 'box', prefix: '', endpoint: cloud('acct') }],
    ['abs://acct@box/', {}, { account: 'acct', container: 'box', prefix: '', endpoint: cloud('acct') }],
    [
      'abs://acct@box/app',
      {},
      { account: 'acct', container: 'box', prefix: 'app/', endpoint: cloud('acct') },
    ],
    [
      'abs://acct@box//a//b-c/',
      {},
      { account: 'acct', container: 'box', prefix: 'a/b-c/', endpoint: cloud('acct') },
    ],
    [
      'azblob://acct@box/app',
      {},
      { account: 'acct', container: 'box', prefix: 'app/', endpoint: cloud('acct') },
    ],
    [
      'abs://box?account=acct',
      {},
      { account: 'acct', container: 'box', prefix: '', endpoint: cloud('acct') },
    ],
    [
      'abs://acct@box?concurrency=5',
      {},
      { account: 'acct', container: 'box', prefix: '', endpoint: cloud('acct'), concurrency: 5 },
    ],
    ['abs://acct@$web', {}, { account: 'acct', container: '$web', prefix: '', endpoint: cloud('acct') }],
    [
      'abs://box/p',
      { AZURE_STORAGE_ACCOUNT: 'acct' },
      { account: 'acct', container: 'box', prefix: 'p/', endpoint: cloud('acct') },
    ],
    [
      'abs://box',
      { AZURE_STORAGE_ACCOUNT_NAME: 'acct' },
      { account: 'acct', container: 'box', prefix: '', endpoint: cloud('acct') },
    ],
    [
      'abs://mine@box',
      { AZURE_STORAGE_ACCOUNT: 'acct' },
      { account: 'mine', container: 'box', prefix: '', endpoint: cloud('mine') },
    ],
    [
      'abs://box?endpoint=https://acct.blob.core.chinacloudapi.cn/',
      {},
      { account: 'acct', container: 'box', prefix: '', endpoint: 'https://acct.blob.core.chinacloudapi.cn' },
    ],
    [
      'abs://acct@box?endpoint=https://files.example.com/store',
      {},
      { account: 'acct', container: 'box', prefix: '', endpoint: 'https://files.example.com/store' },
    ],
    [
      'abs://acct@box',
      { AZURE_STORAGE_SERVICE_ENDPOINT: 'https://acct.blob.storage.azure.net' },
      { account: 'acct', container: 'box', prefix: '', endpoint: 'https://acct.blob.storage.azure.net' },
    ],
    // An emulator has the account in its path.
    [
      'abs://acct@box?endpoint=http://127.0.0.1:10000',
      { AZURE_STORAGE_KEY: key },
      {
        account: 'acct',
        container: 'box',
        prefix: '',
        endpoint: 'http://127.0.0.1:10000/acct',
        accountKey: key,
      },
    ],
    [
      `abs://devstoreaccount1@box?endpoint=${AZURITE}`,
      { AZURE_STORAGE_KEY: key },
      { account: 'devstoreaccount1', container: 'box', prefix: '', endpoint: AZURITE, accountKey: key },
    ],
    // As whom.
    ['abs://acct@box', { LITESTREAM_AZURE_ACCOUNT_KEY: key, AZURE_STORAGE_KEY: other }, { accountKey: key }],
    ['abs://acct@box', { AZURE_STORAGE_KEY: key }, { accountKey: key }],
    ['abs://acct@box', { AZURE_STORAGE_ACCOUNT_KEY: key }, { accountKey: key }],
    ['abs://acct@box', { AZURE_STORAGE_SAS_TOKEN: `?${sas}`, AZURE_STORAGE_KEY: key }, { sasToken: sas }],
    ['abs://acct@box', { LITESTREAM_AZURE_SAS_TOKEN: sas, AZURE_STORAGE_SAS_TOKEN: 'no' }, { sasToken: sas }],
    ['abs://acct@box', { AZURE_STORAGE_KEY: '', AZURE_STORAGE_SAS_TOKEN: sas }, { sasToken: sas }],
    // Connection strings.
    [
      'abs://box',
      {
        AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=${key};EndpointSuffix=core.windows.net`,
      },
      { account: 'acct', endpoint: cloud('acct'), accountKey: key },
    ],
    [
      'abs://box',
      { AZURE_STORAGE_CONNECTION_STRING: `accountname=acct; accountkey=${other};` },
      { account: 'acct', endpoint: cloud('acct'), accountKey: other },
    ],
    [
      'abs://box',
      {
        AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=${sas}`,
      },
      { account: 'acct', endpoint: cloud('acct'), sasToken: sas },
    ],
    [
      'abs://box',
      { AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' },
      { account: 'devstoreaccount1', endpoint: AZURITE, accountKey: expect.stringMatching(/==$/) },
    ],
    [
      'abs://acct@box?endpoint=http://localhost:1/acct',
      { AZURE_STORAGE_CONNECTION_STRING: `AccountName=acct;AccountKey=${key}` },
      { account: 'acct', endpoint: 'http://localhost:1/acct', accountKey: key },
    ],
    // Who has a key needs no connection string.
    [
      'abs://mine@box',
      { AZURE_STORAGE_CONNECTION_STRING: `AccountName=acct;AccountKey=${other}`, AZURE_STORAGE_KEY: key },
      { account: 'mine', endpoint: cloud('mine'), accountKey: key },
    ],
  ])('%s with %o', (url, env, options) => {
    const found = azureOptions(new URL(url), env)
    expect(found).toMatchObject(options)
    for (const secret of ['accountKey', 'sasToken'])
      expect(Object.hasOwn(found, secret)).toBe(secret in options)
  })
})

describe('what is refused', () => {
  const https = { AZURE_STORAGE_KEY: key }
  test.each<[url: string, env: Environment, message: RegExp, hint?: RegExp]>([
    ['s3://acct@box', https, /is not an abs: URL/, /abs:\/\//],
    ['abs://acct:c2VjcmV0LWtleS1vZi10aGlz@box', {}, /has a password/, /AZURE_STORAGE_KEY/],
    ['abs://acct@box:80/x', https, /has a port/, /endpoint=/],
    ['abs://acct@box/x#y', https, /has a fragment/],
    ['abs://acct@Box', https, /names no container/],
    ['abs://acct@b', https, /names no container/],
    ['abs://acct@box--x', https, /names no container/],
    ['abs://box@acct.blob.core.windows.net/x', https, /names no container/],
    ['abs:///x', https, /names no container/],
    ['abs://acct@box/a b', https, /no prefix of keys/],
    ['abs://acct@box/%ff', https, /broken % escape/],
    ['abs://acct@box/../x', { AZURE_STORAGE_KEY: '%' }, /not base64/],
    ['abs://acct@box?endpont=x', https, /unknown parameter "endpont"/, /Did you mean endpoint\?/],
    ['abs://acct@box?account=mine', https, /two accounts/],
    ['abs://acct@box?concurrency=0', https, /concurrency/],
    ['abs://acct@box?concurrency=many', https, /concurrency/],
    ['abs://acct@box?endpoint=ftp://x', https, /not the address of a service/],
    ['abs://acct@box?endpoint=acct.blob.core.windows.net', https, /not the address of a service/],
    ['abs://acct@box?endpoint=https://x/%3Fsig=sEcReT', https, /not the address of a service/],
    ['abs://box', {}, /no storage account is named/, /ACCOUNT@CONTAINER/],
    ['abs://box?endpoint=https://files.example.com', https, /no storage account is named/],
    ['abs://AB@box', https, /account name is not one/],
    [
      'abs://acct@box?endpoint=http://127.0.0.1:10000',
      {},
      /no key for an http: endpoint/,
      /AZURE_STORAGE_KEY/,
    ],
    ['abs://acct@box', { AZURE_STORAGE_KEY: 'not base64: c2VjcmV0' }, /not base64/],
    [
      'abs://acct@box',
      { AZURE_STORAGE_CONNECTION_STRING: `AccountName=mine;AccountKey=${key}` },
      /two accounts: acct, mine/,
    ],
    ['abs://acct@box', { AZURE_STORAGE_CONNECTION_STRING: key }, /not a list of NAME=VALUE/],
    ['abs://acct@box', { AZURE_STORAGE_CONNECTION_STRING: 'AccountName=acct' }, /neither an AccountKey nor/],
    [
      'abs://acct@box',
      { AZURE_STORAGE_CONNECTION_STRING: `AccountKey=${key}` },
      /neither an AccountName nor/,
    ],
  ])('%s with %o', (url, env, message, hint = /(?:)/) => {
    let found: StorageError | undefined
    try {
      azureOptions(new URL(url), env)
    } catch (error) {
      found = error as StorageError
    }
    expect(found).toMatchObject({ code: 'invalid-config', driver: 'abs', operation: 'open' })
    expect(found!.message).toMatch(message)
    expect(found!.hint ?? '').toMatch(hint)
    expect(`${found!.message} ${found!.hint}`).not.toMatch(/c2Vjcm|sEcReT/)
  })

  test('options of a program are checked as those of a URL', async () => {
    const good = { account: 'acct', container: 'box', accountKey: key }
    const refused = { code: 'invalid-config', operation: 'open' }
    await expect(openAzureStore({ ...good, container: 'B' })).rejects.toMatchObject(refused)
    await expect(openAzureStore({ container: 'box' })).rejects.toMatchObject(refused)
    await expect(openAzureStore({ ...good, accountKey: 'no key' })).rejects.toMatchObject(refused)
    await expect(openAzureStore({ ...good, timeoutMs: 0 })).rejects.toThrow(RangeError)
    await expect(openAzureStore({ ...good, concurrency: 1.5 })).rejects.toThrow(RangeError)
    await expect(openAzureStore({ ...good, prefix: 'no-slash' })).rejects.toThrow(TypeError)
  })

  test('the driver looks into the environment that it is given', async () => {
    const url = new URL('abs://acct@box?endpoint=http://127.0.0.1:1')
    await expect(azureDriver.open(url, { environment: {} })).rejects.toMatchObject({ code: 'invalid-config' })
    await using store = await azureDriver.open(url, { environment: { AZURE_STORAGE_KEY: key } })
    expect(store.driver).toBe(azureDriver.name)
    expect(azureDriver.schemes).toEqual(['abs', 'azblob'])
  })

  test('an abort rejects with its reason', async () => {
    const reason = new Error('enough')
    const opening = openAzureStore(
      { account: 'acct', container: 'box' },
      { signal: AbortSignal.abort(reason) },
    )
    await expect(opening).rejects.toBe(reason)
  })
})
