import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getBytes } from '@sqlstream/storage'
import { FaultProxy } from '@sqlstream/testkit/servers'
import { expect } from 'vitest'
import { connect } from '../src/connect.ts'
import { Connection } from '../src/connection.ts'
import { SFTPStore } from '../src/index.ts'
import { loadLogin } from '../src/login.ts'
import { probeServer } from '../src/probe.ts'
import { all } from './all.ts'
import { optionsFor, withSSHD } from './sshd.ts'

const bytes = new Uint8Array(10).fill(7)

await withSSHD((sshd, test) => {
  const open = (path: string) => SFTPStore.open({ ...optionsFor(sshd), path: join(sshd.root, path) })

  test('opening leaves nothing, not even the folder', async () => {
    await using store = await open('fresh/deep')
    expect(readdirSync(sshd.root)).not.toContain('fresh')
    expect(await all(store.list())).toEqual([])
    await store.put('a', bytes)
    expect(readdirSync(store.root)).toEqual(['a'])
    await store.delete(['a'])
    expect(readdirSync(store.root)).toEqual([])
  })

  test('a file that is being written is in no listing and cannot be named', async () => {
    await using store = await open('hidden')
    let seen: unknown
    await store.put('a/b', {
      async *open() {
        yield bytes
        const [name] = readdirSync(join(store.root, 'a'))
        expect(name).toMatch(/^\.sqlstream~temp~/)
        seen = await all(store.list())
        await expect(store.head(`a/${name}`)).rejects.toMatchObject({ code: 'invalid-key' })
      },
    })
    expect(seen).toEqual([])
    expect(readdirSync(join(store.root, 'a'))).toEqual(['b'])
  })

  test('timestamps are modification times in whole seconds, as Litestream reads them', async () => {
    await using store = await open('times')
    const timestamp = new Date('2020-02-03T04:05:06.789Z')
    expect((await store.put('a', bytes, { timestamp })).modified).toEqual(new Date('2020-02-03T04:05:06Z'))
    expect((await store.put('b', bytes, { timestamp: new Date(-5) })).modified).toEqual(new Date(0))
  })

  test('what another program wrote is an object, unless its name is no key or it is a link', async () => {
    await using store = await open('foreign')
    mkdirSync(join(store.root, 'ltx/0'), { recursive: true })
    const path = join(store.root, 'ltx/0/0000000000000001-0000000000000001.ltx')
    writeFileSync(path, bytes)
    utimesSync(path, 1_700_000_000, 1_700_000_000)
    writeFileSync(join(store.root, 'my file.txt'), bytes)
    symlinkSync(path, join(store.root, 'link'))
    symlinkSync(join(store.root, 'ltx'), join(store.root, 'folder'))
    const key = 'ltx/0/0000000000000001-0000000000000001.ltx'
    expect((await all(store.list())).map((info) => info.key)).toEqual([key])
    const { etag } = await store.head(key)
    // Reading changes its access time, which is no mark.
    expect(await getBytes(store, key)).toEqual(bytes)
    expect((await store.head(key)).etag).toBe(etag)
    await expect(store.head('link')).rejects.toMatchObject({ code: 'not-found' })
    await expect(store.get('link')).rejects.toMatchObject({ code: 'not-found' })
    await expect(store.get('ltx')).rejects.toMatchObject({ code: 'not-found' })
    await expect(store.put('folder/x', bytes)).rejects.toMatchObject({ code: 'permission-denied' })
    await store.put(
      key,
      bytes.map(() => 8),
      { precondition: { kind: 'match', etag } },
    )
    await store.delete(['link', key])
    expect(readdirSync(store.root).sort()).toEqual(['folder', 'link', 'my file.txt'])
  })

  test('an empty folder does not stand in the way of a key', async () => {
    await using store = await open('empty-folder')
    mkdirSync(join(store.root, 'a/b'), { recursive: true })
    mkdirSync(join(store.root, 'a/c'))
    await store.put('a/b', bytes, { precondition: { kind: 'absent' } })
    await store.put('a/c', bytes)
    expect((await all(store.list())).map(({ key }) => key)).toEqual(['a/b', 'a/c'])
  })

  test('a folder that is removed beside puts is made again', async () => {
    await using store = await open('beside')
    const writer = async (name: string) => {
      for (let i = 0; i < 15; i++) {
        await store.put(`x/y/${name}`, bytes)
        await store.delete([`x/y/${name}`])
      }
    }
    await Promise.all(['a', 'b', 'c'].map(writer))
    expect(readdirSync(store.root)).toEqual([])
  })

  test('an idle connection is closed, and made again when it is needed', async () => {
    await using proxy = await FaultProxy.start(sshd.port)
    const options = { ...optionsFor(sshd, proxy), path: join(sshd.root, 'idle'), idleLimitMs: 20 }
    await using store = await SFTPStore.open(options)
    await store.put('a', bytes)
    const { body } = await store.get('a')
    // A body that is not read to its end is work.
    await sleep(100)
    expect(proxy.connections).toBe(1)
    expect(await all(body)).toHaveLength(1)
    while (proxy.connections > 0) await sleep(5)
    expect((await store.head('a')).size).toBe(10)
  })

  test('a sweep leaves what is being written', async () => {
    await using store = await open('sweep')
    await store.put('a', bytes)
    writeFileSync(
      join(store.root, `.sqlstream~temp~${(Date.now() - 7_200_000).toString(36)}~${'0'.repeat(16)}`),
      '',
    )
    writeFileSync(join(store.root, `.sqlstream~temp~${Date.now().toString(36)}~${'1'.repeat(16)}`), '')
    writeFileSync(join(store.root, '.sqlstream~unknown'), '')
    expect(await store.sweep()).toEqual({ files: 1 })
    expect(readdirSync(store.root)).toHaveLength(3)
  })
})

// What a server says that it can is not asked: it is tried.
for (const [deny, features] of [
  [['hardlink'], { exclusiveLink: false, replace: 'replace' }],
  [['posix-rename'], { exclusiveLink: true, replace: undefined }],
  [['fsetstat'], { keepsMarks: false, exclusiveLink: false, replace: 'replace' }],
  [['open'], { keepsMarks: false, exclusiveLink: false, replace: 'replace' }],
] as const) {
  await withSSHD(
    (sshd, test) => {
      test(`a server that refuses ${deny} is seen through`, async () => {
        const { signal } = new AbortController()
        const login = await loadLogin(optionsFor(sshd))
        const connection = new Connection(await connect(sshd, login, { limitMs: 20_000, signal }), 20_000)
        expect(await probeServer(connection, sshd.root)).toMatchObject(features)
        connection.destroy()
        expect(readdirSync(sshd.root)).toEqual([])
        await using store = await SFTPStore.open({ ...optionsFor(sshd), path: sshd.root })
        expect(store.capabilities.conditionalPut).toBe(false)
        await expect(store.put('a', bytes, { precondition: { kind: 'absent' } })).rejects.toMatchObject({
          code: 'unsupported',
          hint: expect.any(String),
        })
        if (deny[0] !== 'posix-rename') return
        // New objects can be written; an old one cannot be replaced in one step.
        await store.put('a', bytes)
        await expect(store.put('a', bytes)).rejects.toMatchObject({
          code: 'unsupported',
          hint: expect.stringContaining('posix-rename@openssh.com'),
        })
        expect(readdirSync(sshd.root)).toEqual(['a'])
      })
    },
    { deny },
  )
}
