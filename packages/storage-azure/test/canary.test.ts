import { inspect } from 'node:util'
import { FaultyHttpServer, proxyTo } from '@sqlstream/testkit/servers'
import { describe, expect, test } from 'vitest'
import { azureOptions, openAzureStore } from '../src/index.ts'
import { azuriteForTests } from './azurite.ts'

const azurite = azuriteForTests()
const { proxy } = azurite

/** All that a person, a log or a debugger may see of an error, hidden fields and causes included. */
function everythingIn(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if (seen.has(value)) return ''
  seen.add(value)
  const own = Reflect.ownKeys(value).map((name) => everythingIn(Reflect.get(value, name), seen))
  return [inspect(value, { depth: 20, showHidden: true }), ...own].join('\n')
}

describe.each([
  ['a key', { accountKey: Buffer.from('zebra-key-zebra-key').toString('base64') }],
  ['a SAS', { sasToken: 'sv=2025-01-01&se=2030-01-01&sr=c&sp=rwdl&sig=zebra%2Bsignature%3D' }],
])('no error shows %s', (_, credential) => {
  const canary = /zebra|emVicm/

  test('that the service refuses, or that was sent to a server that fails', async () => {
    const container = await azurite.container()
    const { accountKey: __, ...place } = azurite.options(container, proxy.url)
    const store = await openAzureStore({ ...place, ...credential, timeoutMs: 500 })
    const calls = [
      () => store.head('a'),
      () => store.get('a'),
      () => store.put('a', Uint8Array.of(1)),
      () => store.put('a', Uint8Array.of(1), { precondition: { kind: 'absent' } }),
      () => store.delete(['a']),
      () => store.list()[Symbol.asyncIterator]().next(),
    ]
    const faults = [
      undefined,
      { kind: 'drop' },
      { kind: 'refuse', status: 400, code: 'SomethingNew' },
      { kind: 'hang' },
    ] as const
    for (const fault of faults) {
      proxy.plan(fault === undefined ? [] : [{ fault }])
      const failures = await Promise.all(
        calls.map((call) =>
          call().then(
            () => undefined,
            (error: unknown) => error,
          ),
        ),
      )
      for (const error of failures) {
        expect(error).toBeInstanceOf(Error)
        expect(everythingIn(error)).not.toMatch(canary)
        if (fault === undefined) expect(error).toMatchObject({ code: 'permission-denied', transient: false })
      }
    }
  })

  test('that the service repeats in its answer', async () => {
    const echoing = proxyTo(azurite.azurite.url, {
      nameOf: () => 'any',
      refuse: ({ target, headers }, status) => ({
        status,
        headers: { 'content-type': 'application/xml' },
        body: `<Error><Code>Odd</Code><Message>http://service${target.replaceAll('&', '&amp;')} Authorization: ${headers.authorization}</Message></Error>`,
      }),
    })
    await using server = await FaultyHttpServer.start(echoing)
    server.plan([{ fault: { kind: 'refuse', status: 400 } }])
    const store = await openAzureStore({ ...azurite.options('box', server.url), ...credential })
    const error = await store.put('a', Uint8Array.of(1)).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unknown' })
    expect(everythingIn(error)).not.toMatch(canary)
  })
})

test('the canary is seen where it is not hidden', async () => {
  const hidden = Object.defineProperty(new Error('x'), 'request', {
    value: { url: 'zebra' },
    enumerable: false,
  })
  expect(everythingIn(new Error('y', { cause: hidden }))).toContain('zebra')
  const { accountKey } = azureOptions(new URL('abs://acct@box'), { AZURE_STORAGE_KEY: 'zebra000' })
  expect(accountKey).toBe('zebra000')
})
