import { expect, test } from 'vitest'
import { AZURE_DIALECT, FaultyHttpServer, proxyTo, startAzurite } from '../src/servers/index.ts'

test('Azurite starts, knows its account, and a proxy before it adds faults to what it does', async () => {
  await using azurite = await startAzurite()
  await using proxy = await FaultyHttpServer.start(proxyTo(azurite.url, AZURE_DIALECT))
  const blob = `${proxy.url}/${azurite.account}/box/a`
  // Unsigned, so refused: by Azurite itself, in its own words, through the proxy.
  const answer = await fetch(blob, { method: 'PUT', body: 'x', headers: { 'x-ms-blob-type': 'BlockBlob' } })
  expect(answer.status).toBe(403)
  expect(answer.headers.get('x-ms-error-code')).toMatch(/Auth/)
  expect(await answer.text()).toContain('<Error>')
  expect(proxy.traffic('Put Blob')).toMatchObject({ requests: 1, bytesIn: 1 })

  const plan = proxy.plan([
    { request: 'Get Blob', at: 1, fault: { kind: 'refuse', status: 503, code: 'ServerBusy' } },
    { request: 'Get Blob', at: 2, fault: { kind: 'drop' } },
  ])
  const refused = await fetch(blob)
  expect([refused.status, refused.headers.get('x-ms-error-code')]).toEqual([503, 'ServerBusy'])
  await expect(fetch(blob)).rejects.toThrow()
  expect((await fetch(blob)).status).toBe(403)
  expect(plan.fired).toBe(2)
})

test.each([
  ['PUT', '?comp=block&blockid=1', 'Put Block'],
  ['PUT', '?comp=blocklist', 'Put Block List'],
  ['PUT', '', 'Put Blob'],
  ['GET', '', 'Get Blob'],
  ['HEAD', '', 'Get Blob Properties'],
  ['DELETE', '', 'Delete Blob'],
  ['GET', '?restype=container&comp=list', 'List Blobs'],
  ['PUT', '?restype=container', 'PUT container'],
])('%s with %s is %s', (method, query, name) => {
  const target = `/acct/box/a${query}`
  expect(AZURE_DIALECT.nameOf({ method, target, url: new URL(target, 'http://x'), headers: {} })).toBe(name)
})
