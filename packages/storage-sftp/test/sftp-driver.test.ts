import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { isStorageError, type StorageError } from '@sqlstream/storage'
import { freePort } from '@sqlstream/testkit/servers'
import { afterAll, expect, test } from 'vitest'
import { sftpDriver } from '../src/index.ts'
import { optionsOf } from '../src/sftp-driver.ts'
import { all } from './all.ts'
import { startPasswordServer } from './password-server.ts'
import { withSSHD } from './sshd.ts'

const PRINT = `SHA256:${'a+/'.repeat(14)}b`
const folder = mkdtempSync(join(tmpdir(), 'sqlstream-'))
afterAll(() => rmSync(folder, { recursive: true }))

test.each([
  ['sftp://host', { host: 'host', path: '', createRoot: true, anyHostKey: false, hostKeys: [] }],
  ['sftp://me@host:2222/back/app', { user: 'me', port: 2222, path: 'back/app' }],
  ['sftp://me:p%40ss%2F@host//srv/back', { user: 'me', password: 'p@ss/', path: '/srv/back' }],
  ['sftp://[::1]/a%20b', { host: '::1', path: 'a b' }],
  ['sftp://h/x?key-path=/k&known-hosts=/a,/b', { keyPath: '/k', knownHostsPaths: ['/a', '/b'] }],
  [`sftp://h/x?host-key=${PRINT}`, { hostKeys: [PRINT] }],
  [`sftp://h/x?host-key=${encodeURIComponent(PRINT)}`, { hostKeys: [PRINT] }],
  ['sftp://h/x?host-key=ssh-ed25519%20AA+A', { hostKeys: ['ssh-ed25519 AA+A'] }],
  ['sftp://h/x?host-key=any&create=false', { anyHostKey: true, hostKeys: [], createRoot: false }],
])('%s is understood', (text, options) => {
  expect(optionsOf(new URL(text))).toMatchObject(options)
})

test.each([
  ['file:///x', 'is not an sftp: URL'],
  ['sftp:///x', 'names no host'],
  ['sftp://h/x#y', 'has a fragment'],
  ['sftp://h/x?keypath=/k', 'unknown parameter "keypath"'],
  ['sftp://h/x?create=no', 'neither true nor false'],
  ['sftp://h/%00', 'has a NUL'],
  ['sftp://h/%zz', 'no escape'],
  ['sftp://h/x?host-key=abc', 'no SHA256'],
  ['sftp://h/x?host-key=SHA256:short', 'no SHA256'],
])('%s is refused', async (text, message) => {
  const opening = sftpDriver.open(new URL(text))
  await expect(opening).rejects.toMatchObject({ code: 'invalid-config', driver: 'sftp', operation: 'open' })
  await expect(opening).rejects.toThrow(message)
})

test('a kind of host key that is not known here is refused', async () => {
  await expect(sftpDriver.open(new URL('sftp://me:x@h/x?host-key=ssh-new%20AAAA'))).rejects.toMatchObject({
    code: 'invalid-config',
    hint: expect.stringContaining('another type'),
  })
})

test('an abort rejects with its reason, before and while it connects', async () => {
  const reason = new Error('enough')
  await expect(sftpDriver.open(new URL('sftp://h/x'), { signal: AbortSignal.abort(reason) })).rejects.toBe(
    reason,
  )
  await using server = await startPasswordServer({ password: 'right' })
  const aborter = new AbortController()
  const opening = sftpDriver.open(server.url('right'), { signal: aborter.signal })
  aborter.abort(reason)
  await expect(opening).rejects.toBe(reason)
})

test('no server, no host and no readable key are told apart', async () => {
  const refused = new URL(`sftp://me:x@127.0.0.1:${await freePort()}/x?host-key=any`)
  await expect(sftpDriver.open(refused)).rejects.toMatchObject({
    code: 'unavailable',
    hint: expect.stringContaining('port'),
  })
  const nowhere = new URL('sftp://me:x@no-such-host.invalid/x?host-key=any')
  await expect(sftpDriver.open(nowhere)).rejects.toMatchObject({
    code: 'unavailable',
    hint: expect.stringContaining('name of the host'),
  })
  await expect(sftpDriver.open(new URL('sftp://h/x?key-path=/no/such/key'))).rejects.toMatchObject({
    code: 'invalid-config',
  })
  writeFileSync(join(folder, 'key'), 'no key')
  await expect(sftpDriver.open(new URL(`sftp://h/x?key-path=${folder}/key`))).rejects.toMatchObject({
    code: 'invalid-config',
    hint: expect.stringContaining('PEM'),
  })
})

test.each(['password', 'keyboard-interactive'] as const)('a password logs in by %s', async (method) => {
  await using server = await startPasswordServer({ password: 'right', method })
  // It has no SFTP: who gets to know that is logged in.
  await expect(sftpDriver.open(server.url('right'))).rejects.toMatchObject({ code: 'unsupported' })
  await expect(sftpDriver.open(server.url('wrong'))).rejects.toMatchObject({ code: 'permission-denied' })
})

/** All that a person or a log may get to see of an error. */
function shown(error: unknown): string {
  return `${inspect(error, { depth: 20, showHidden: true })} ${JSON.stringify(error)} ${String((error as Error).stack)}`
}

test('no password is in an error', async () => {
  const secret = 'canary-3f9a'
  await using server = await startPasswordServer({ password: 'other' })
  const urls = [
    server.url(secret),
    new URL(`sftp://me:${secret}@127.0.0.1:${await freePort()}/x?host-key=any`),
    new URL(`sftp://me:${secret}@127.0.0.1:${new URL(server.url('x')).port}/x?known-hosts=/dev/null`),
    new URL(`sftp://me:${secret}@h/x?foo=${secret}`),
    new URL(`sftp://me:${secret}@h/x#${secret}`),
  ]
  for (const url of urls) {
    const error = await sftpDriver.open(url).catch((reason: unknown) => reason)
    expect(isStorageError(error)).toBe(true)
    expect(shown(error)).not.toContain(secret)
  }
})

await withSSHD((sshd, it) => {
  const url = (path: string, key = sshd.keyPath): URL =>
    new URL(
      `sftp://${sshd.user}:canary-3f9a@127.0.0.1:${sshd.port}/${path}?key-path=${key}&host-key=${encodeURIComponent(sshd.hostKey)}`,
    )

  it('a URL opens its folder, which need not exist', async () => {
    await using store = await sftpDriver.open(url(`${sshd.root}/a%20b/c`))
    await store.put('x/y', Uint8Array.of(1))
    expect(await all(store.list())).toMatchObject([{ key: 'x/y' }])
    expect(sftpDriver).toMatchObject({ name: store.driver, schemes: ['sftp'] })
    expect(inspect(store, { depth: 20, showHidden: true })).not.toContain('canary')
    const error: StorageError = await store.head('z').catch((reason) => reason)
    expect(shown(error)).not.toContain('canary')
  })

  it('a file is no folder, and a foreign key does not log in', async () => {
    writeFileSync(join(sshd.root, 'file'), '')
    await expect(sftpDriver.open(url(`${sshd.root}/file`))).rejects.toMatchObject({ code: 'invalid-config' })
    const foreign = await sftpDriver
      .open(url('x', join(dirname(sshd.keyPath), 'host-key')))
      .catch((reason) => reason)
    expect(foreign).toMatchObject({ code: 'permission-denied', hint: expect.stringContaining('ssh -v') })
    expect(shown(foreign)).not.toContain('canary')
  })
})
