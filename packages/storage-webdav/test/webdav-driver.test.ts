import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { isStorageError } from '@sqlstream/storage'
import { freePort } from '@sqlstream/testkit/servers'
import { expect, test } from 'vitest'
import { webdavDriver } from '../src/index.ts'
import { optionsOf } from '../src/webdav-driver.ts'

test.each([
  ['webdav://host/back/app', { url: 'http://host/back/app', createRoot: true, conditionalPut: 'auto' }],
  ['webdavs://me:p%40ss@host:8443/x', { url: 'https://host:8443/x', user: 'me', password: 'p@ss' }],
  [
    'webdav://h/a%20b?create=false&conditional-put=probe',
    { url: 'http://h/a%20b', createRoot: false, conditionalPut: 'probe' },
  ],
])('%s is understood', (text, options) => {
  expect(optionsOf(new URL(text))).toMatchObject(options)
})

test.each([
  ['https://h/x', 'is not a webdav: or webdavs: URL'],
  ['webdav:///x', 'names no host'],
  ['webdav://h/x#y', 'has a fragment'],
  ['webdav://h/x?creat=false', 'unknown parameter "creat"'],
  ['webdav://h/x?create=no', 'neither true nor false'],
  ['webdav://h/x?conditional-put=yes', 'neither auto, probe nor never'],
  ['webdav://%zz@h/x', 'no escape'],
])('%s is refused', async (text, message) => {
  const opening = webdavDriver.open(new URL(text))
  await expect(opening).rejects.toMatchObject({ code: 'invalid-config', driver: 'webdav', operation: 'open' })
  await expect(opening).rejects.toThrow(message)
})

/** A server of our own that answers as told. */
async function answering(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: (login = '') => new URL(`webdav://${login}127.0.0.1:${port}/x`),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const EMPTY =
  '<a:multistatus xmlns:a="DAV:"><a:response><a:href>/x/</a:href><a:propstat><a:prop><a:resourcetype><a:collection/></a:resourcetype></a:prop><a:status>HTTP/1.1 200 OK</a:status></a:propstat></a:response></a:multistatus>'

test('user and password are sent as Basic, and are in nothing that is shown', async () => {
  const secret = 'canary-3f9a'
  const seen: (string | undefined)[] = []
  await using server = await answering((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(207).end(EMPTY)
  })
  await using store = await webdavDriver.open(server.url(`me:${secret}@`))
  expect(seen).toEqual([`Basic ${Buffer.from(`me:${secret}`).toString('base64')}`])
  expect(inspect(store, { depth: 20, showHidden: true })).not.toContain(secret)
  expect(webdavDriver.schemes).toEqual(['webdav', 'webdavs'])
  expect(webdavDriver.name).toBe(store.driver)
})

test.each([
  [401, 'permission-denied', 'Basic'],
  [403, 'permission-denied', 'right'],
  [301, 'invalid-config', 'redirects'],
  [405, 'unsupported', 'WebDAV'],
  [500, 'unavailable', undefined],
])('a server that answers with %s is %s, and no password is in the error', async (status, code, hint) => {
  const secret = 'canary-3f9a'
  await using server = await answering((_, response) => response.writeHead(status).end(secret))
  const error = await webdavDriver.open(server.url(`me:${secret}@`)).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code, driver: 'webdav', operation: 'open' })
  if (hint !== undefined) expect(error).toMatchObject({ hint: expect.stringContaining(hint) })
  expect(inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error)).not.toContain(secret)
})

test('no server and no such host are told apart, and no password is in the errors', async () => {
  const secret = 'canary-3f9a'
  for (const [host, hint] of [
    [`127.0.0.1:${await freePort()}`, 'port'],
    ['no-such-host.invalid', 'name of the host'],
  ]) {
    const error = await webdavDriver
      .open(new URL(`webdav://me:${secret}@${host}/x`))
      .catch((reason: unknown) => reason)
    expect(isStorageError(error, 'unavailable')).toBe(true)
    expect(error).toMatchObject({ hint: expect.stringContaining(hint!) })
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(secret)
  }
})

test('what is no multistatus is no empty listing', async () => {
  await using server = await answering((_, response) => response.writeHead(207).end('<html>Welcome</html>'))
  await using store = await webdavDriver.open(server.url())
  await expect(store.head('a')).rejects.toMatchObject({ code: 'unknown', key: 'a' })
  const listing = store.list()[Symbol.asyncIterator]()
  await expect(listing.next()).rejects.toMatchObject({ code: 'unknown', operation: 'list' })
})

test('webdavs is HTTPS, whose certificate must be of a known authority', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sqlstream-'))
  try {
    const run = promisify(execFile)
    const certificate = join(folder, 'certificate')
    const key = join(folder, 'key')
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost']
    await run('openssl', [
      ...request,
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      certificate,
    ])
    const options = { cert: readFileSync(certificate), key: readFileSync(key) }
    const server = createSecureServer(options, (_, response) => response.writeHead(207).end(EMPTY))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `webdavs://me:x@127.0.0.1:${(server.address() as { port: number }).port}/x`
    await expect(webdavDriver.open(new URL(url))).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    })
    const script = `import { webdavDriver } from '@sqlstream/storage-webdav'
      await using store = await webdavDriver.open(new URL('${url}'))
      for await (const { key } of store.list()) console.log(key)
      console.log('empty')`
    const args = ['--conditions=@sqlstream/source', '--input-type=module', '-e', script]
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate }
    expect((await run(process.execPath, args, { env, cwd: join(import.meta.dirname, '..') })).stdout).toBe(
      'empty\n',
    )
    server.closeAllConnections()
    server.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an abort rejects with its reason', async () => {
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  await expect(webdavDriver.open(new URL('webdav://h/x'), { signal })).rejects.toBe(reason)
})
