import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StorageError } from '@sqlstream/storage'
import { afterAll, describe, expect, test } from 'vitest'
import { judgeHostKey, wantedKeyTypes } from '../src/host-key.ts'
import { SFTPStore, type SFTPStoreOptions } from '../src/index.ts'
import { fingerprintOf, parseKnownHosts } from '../src/known-hosts.ts'
import { optionsFor, withSSHD } from './sshd.ts'

const folder = mkdtempSync(join(tmpdir(), 'sqlstream-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A key as a server sends it: its type, then some bytes. */
function key(type: string, fill: number): Buffer {
  const name = Buffer.from(type)
  return Buffer.concat([Buffer.from([0, 0, 0, name.length]), name, Buffer.alloc(32, fill)])
}
const ed = key('ssh-ed25519', 1)
const other = key('ssh-ed25519', 2)
const rsa = key('ssh-rsa', 3)
const line = (hosts: string, blob: Buffer): string =>
  `${hosts} ${blob.toString('latin1', 4, 4 + blob[3]!)} ${blob.toString('base64')}`

function judge(
  knownHosts: string,
  fields: { pinned?: string[]; any?: boolean; port?: number; host?: string } = {},
) {
  const { pinned = [], any = false, port = 22, host = 'backup.example' } = fields
  const policy = { pinned, any, known: parseKnownHosts(knownHosts) }
  return judgeHostKey(ed, { host, port }, policy)?.message ?? 'accepted'
}

describe('a host key is', () => {
  test.each([
    ['plain', line('backup.example', ed), 'accepted'],
    [
      'with comment, CR and others around',
      `# no\n\n${line('x', rsa)}\n${line('y,backup.example', ed)} me\r\n`,
      'accepted',
    ],
    ['pattern', line('*.example', ed), 'accepted'],
    ['pattern of one character', line('backup.exampl?', ed), 'accepted'],
    ['negated', line('*.example,!backup.example', ed), 'not known'],
    ['a dot is no pattern', line('backup-example', ed), 'not known'],
    ['another host', line('backup.example.org', ed), 'not known'],
    ['one of two keys', `${line('backup.example', rsa)}\n${line('backup.example', ed)}`, 'accepted'],
    ['another key', line('backup.example', other), 'another key than known_hosts says'],
    ['another type', line('backup.example', rsa), 'another key than known_hosts says'],
    ['revoked', `${line('backup.example', ed)}\n@revoked ${line('*', ed)}`, 'revoked'],
    ['of an authority', `@cert-authority ${line('*', ed)}`, 'not known'],
    ['nothing', '', 'not known'],
  ])('judged by known_hosts: %s', (_, text, outcome) => {
    expect(judge(text)).toContain(outcome)
  })

  test('known for its port only', () => {
    expect(judge(line('[backup.example]:2222', ed), { port: 2222 })).toBe('accepted')
    expect(judge(line('backup.example', ed), { port: 2222 })).toContain('[backup.example]:2222 is not known')
  })

  test('pinned by fingerprint or public key, and then nothing else counts', () => {
    expect(judge('', { pinned: [fingerprintOf(ed)] })).toBe('accepted')
    expect(judge('', { pinned: [fingerprintOf(other), line('', ed).trim()] })).toBe('accepted')
    expect(judge(line('backup.example', ed), { pinned: [fingerprintOf(other)] })).toContain(
      'than the given one',
    )
  })

  test('accepted unseen only when told to, and never when revoked', () => {
    expect(judge('', { any: true })).toBe('accepted')
    expect(judge(`@revoked ${line('*', ed)}`, { any: true })).toContain('revoked')
  })

  test('asked for by the types that are known', () => {
    const types = (known: string, pinned: string[] = [], any = false) =>
      wantedKeyTypes({ host: 'h', port: 22 }, { known: parseKnownHosts(known), pinned, any })
    expect(types(`${line('h', rsa)}\n${line('h', ed)}`)).toEqual([
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
    ])
    expect(types(line('h', ed), ['SHA256:x'])).toBeUndefined()
    expect(types('', [line('', rsa).trim()])).toEqual(['rsa-sha2-512', 'rsa-sha2-256'])
    expect(types(line('other', ed))).toBeUndefined()
    expect(types(line('h', ed), [], true)).toBeUndefined()
  })
})

test('names that ssh-keygen has hashed are found', () => {
  const path = join(folder, 'hashed')
  const real = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvP0pXcZ0kxD1lFQpVdJwzjyYk3nZ0n1XyB7eK0Hq9t'
  writeFileSync(path, `backup.example ${real}\n`)
  const { status } = spawnSync('ssh-keygen', ['-H', '-f', path])
  if (status !== 0) return expect(process.env['CI']).toBeUndefined()
  const text = readFileSync(path, 'utf8')
  expect(text).not.toContain('backup')
  const blob = Buffer.from(real.split(' ')[1]!, 'base64')
  const policy = { pinned: [], any: false, known: parseKnownHosts(text) }
  expect(judgeHostKey(blob, { host: 'backup.example', port: 22 }, policy)).toBeUndefined()
  expect(judgeHostKey(blob, { host: 'backup.exampl', port: 22 }, policy)?.message).toContain('not known')
})

await withSSHD((sshd, it) => {
  const open = (options: Partial<SFTPStoreOptions>) =>
    SFTPStore.open({ ...optionsFor(sshd), hostKeys: [], path: sshd.root, ...options })
  const refusal = (options: Partial<SFTPStoreOptions>) =>
    open(options).then(
      () => expect.fail('opened'),
      (error: StorageError) => error,
    )

  it('an unknown server is refused before the login, with its fingerprint and what to do', async () => {
    const fingerprint = fingerprintOf(Buffer.from(sshd.hostKey.split(' ')[1]!, 'base64'))
    const error = await refusal({})
    expect(error).toMatchObject({ code: 'permission-denied', operation: 'open', transient: false })
    expect(error.message).toContain(`[127.0.0.1]:${sshd.port} is not known: ssh-ed25519 ${fingerprint}`)
    expect(error.hint).toContain(`host-key=${fingerprint}`)
    expect(sshd.process.output).not.toContain('Accepted')
    await using store = await open({ hostKeys: [fingerprint] })
    expect(store.capabilities.conditionalPut).toBe(true)
  })

  it('a server with another key than the known one is refused', async () => {
    const path = join(folder, 'changed')
    writeFileSync(path, `${line(`[127.0.0.1]:${sshd.port}`, other)}\n`)
    const error = await refusal({ knownHostsPaths: [path] })
    expect(error).toMatchObject({ code: 'permission-denied' })
    expect(error.message).toContain('another key than known_hosts says')
    writeFileSync(path, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`)
    await using store = await open({ knownHostsPaths: [path] })
    expect(store.capabilities.conditionalPut).toBe(true)
  })

  it('a server without the known kind of key is told apart from a wrong one', async () => {
    const path = join(folder, 'rsa')
    writeFileSync(path, `${line(`[127.0.0.1]:${sshd.port}`, rsa)}\n`)
    expect(await refusal({ knownHostsPaths: [path] })).toMatchObject({ code: 'unsupported' })
  })
})
