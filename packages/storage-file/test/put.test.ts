import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { getBytes, type StorageError } from '@sqlstream/storage'
import { beforeEach, describe, expect, test } from 'vitest'
import { FileStore } from '../src/index.ts'
import { filesIn, keysOf, testFolder } from './folder.ts'
import { watchSystemCalls } from './system-calls.ts'

const folder = testFolder()
let root: string
let store: FileStore
let count = 0

beforeEach(() => {
  root = join(folder, `r${count++}`)
  store = new FileStore(root)
})

const bytes = new Uint8Array(10).fill(7)

test('T34: a first put syncs the file before its name, then each folder it made', async () => {
  using calls = watchSystemCalls()
  await store.put('a/b/object', bytes)
  expect(
    calls.log.filter((call) => !call.startsWith('close') && !/^open (?!\.sqlstream)/.test(call)),
  ).toEqual([
    `mkdir ${basename(root)}`,
    `sync ${basename(folder)}`,
    'mkdir a',
    `sync ${basename(root)}`,
    'mkdir b',
    'sync a',
    'open .sqlstream~temp~…',
    'write .sqlstream~temp~…',
    'utimes .sqlstream~temp~…',
    'sync .sqlstream~temp~…',
    'rename object',
    'unlink .sqlstream~temp~…',
    'sync b',
  ])
})

test('a put into a known folder costs two syncs, and a refused one none', async () => {
  await store.put('a/b/first', bytes)
  using calls = watchSystemCalls()
  await store.put('a/b/second', bytes, { precondition: { kind: 'absent' } })
  expect(calls.log.filter((call) => call.startsWith('sync'))).toEqual(['sync .sqlstream~temp~…', 'sync b'])
  expect(calls.log).toContain('link second')
  calls.log.length = 0
  await expect(store.put('a/b/second', bytes, { precondition: { kind: 'absent' } })).rejects.toMatchObject({
    code: 'precondition-failed',
  })
  expect(calls.log).toEqual([])
})

test('a file that is being written is in no listing and cannot be named', async () => {
  let seen: string[] = []
  await store.put('a/b', {
    async *open() {
      yield bytes
      const hidden = filesIn(root)
      expect(hidden).toHaveLength(1)
      seen = await keysOf(store.list())
      await expect(store.head(hidden[0]!)).rejects.toMatchObject({ code: 'invalid-key' })
    },
  })
  expect(seen).toEqual([])
  expect(filesIn(root)).toEqual(['a/b'])
})

describe('T34: a failing system call', () => {
  // Every call of a put fails once; each time the old or the new object is there, whole.
  test.each(['plain', 'absent', 'match'] as const)(
    'of a %s put leaves the old object or the new one',
    async (kind) => {
      const old = new Uint8Array(20).fill(1)
      const fresh = new Uint8Array(30).fill(2)
      let calls = Infinity
      for (let n = 1; n <= calls; n++) {
        const key = `k${n}`
        const info = kind === 'absent' ? undefined : await store.put(key, old)
        const precondition =
          kind === 'plain' ? undefined : kind === 'absent' ? { kind } : { kind, etag: info!.etag }
        using watch = watchSystemCalls()
        watch.fail = (_call, number) => (number === n ? 'EIO' : undefined)
        const outcome = await store.put(key, fresh, { precondition }).then(
          () => 'stored',
          (error: StorageError) => error.code,
        )
        calls = Math.min(calls, outcome === 'stored' ? watch.log.length : Infinity)
        watch.fail = () => undefined
        const now = await getBytes(store, key).catch(() => undefined)
        if (outcome === 'stored') expect(now).toEqual(fresh)
        else {
          expect(outcome).toBe('unavailable')
          expect([kind === 'absent' ? undefined : old, fresh], watch.log.join('\n')).toContainEqual(now)
        }
        const unlinkFailed = watch.log[n - 1]?.startsWith('unlink')
        // The first call of all makes the root.
        const files = existsSync(root) ? filesIn(root) : []
        if (!unlinkFailed) expect(files.filter((name) => name.includes('~temp~'))).toEqual([])
        await store.sweep({ olderThanMs: -1000 })
      }
      expect(calls).toBeGreaterThan(8)
    },
  )

  test.each([
    ['write', 'ENOSPC', 'unavailable', /disk is full/],
    ['write', 'EDQUOT', 'unavailable', /quota/],
    ['sync', 'EIO', 'unavailable', /system log/],
    ['open', 'EACCES', 'permission-denied', /access/],
    ['open', 'EROFS', 'permission-denied', /read-only/],
    ['open', 'EMFILE', 'unavailable', /ulimit/],
    ['rename', 'EXDEV', 'unsupported', /one file system/],
    ['link', 'EPERM', 'unsupported', /hard links/],
    ['link', 'EOPNOTSUPP', 'unsupported', /hard links/],
    ['mkdir', 'ENOSPC', 'unavailable', /disk is full/],
    ['mkdir', 'EACCES', 'permission-denied', /access/],
    ['mkdir', 'EROFS', 'permission-denied', /read-only/],
    ['write', 'EWHATEVER', 'unknown', undefined],
  ])('%s with %s is %s, and leaves nothing', async (name, system, code, hint) => {
    using calls = watchSystemCalls()
    calls.fail = (call) => (call.startsWith(`${name} `) ? system : undefined)
    const put = store.put('a/b', bytes, name === 'link' ? { precondition: { kind: 'absent' } } : {})
    const error: StorageError = (await put.catch((e: StorageError) => e)) as StorageError
    calls.fail = () => undefined
    expect(error).toMatchObject({ name: 'StorageError', code, driver: 'file', operation: 'put', key: 'a/b' })
    expect(error.cause).toMatchObject({ code: system })
    if (hint === undefined) expect(error.hint).toBeUndefined()
    else expect(error.hint).toMatch(hint)
    expect(await keysOf(store.list())).toEqual([])
    mkdirSync(root, { recursive: true })
    expect(filesIn(root)).toEqual([])
  })

  test('of the body keeps its own error, even one that looks like ours', async () => {
    const missing = Object.assign(new Error('ENOENT: spool is gone'), { code: 'ENOENT', syscall: 'open' })
    const put = store.put('a', {
      async *open() {
        yield bytes
        throw missing
      },
    })
    await expect(put).rejects.toBe(missing)
    expect(filesIn(root)).toEqual([])
  })
})

test('a lost answer to link, as of a network file system, is no collision with ourselves', async () => {
  await store.put('x', bytes)
  using calls = watchSystemCalls()
  const { link } = await import('node:fs/promises')
  calls.fail = (call) => (call === 'link a' ? 'EEXIST' : undefined)
  const put = store.put(
    'a',
    {
      async *open() {
        yield bytes
        // The first, unanswered try did it: the name is a link of the file that is being written.
        const temp = filesIn(root).find((name) => name.includes('~temp~'))!
        calls.fail = () => undefined
        await link(join(root, temp), join(root, 'a'))
        calls.fail = (call) => (call === 'link a' ? 'EEXIST' : undefined)
      },
    },
    { precondition: { kind: 'absent' } },
  )
  expect((await put).size).toBe(10)
  expect(await getBytes(store, 'a')).toEqual(bytes)
})

test('S22: a put that failed takes away the folders that it made, and no other', async () => {
  await store.put('kept/object', bytes)
  const failure = new Error('the body broke')
  const broken = {
    async *open(): AsyncGenerator<Uint8Array> {
      yield bytes
      throw failure
    },
  }
  for (const key of ['new/folder/object', 'kept/other', 'kept/folder/object']) {
    await expect(store.put(key, broken)).rejects.toBe(failure)
  }
  expect(readdirSync(root, { recursive: true }).sort()).toEqual(['kept', 'kept/object'])
  await store.put('new/folder/object', bytes)
  expect(await keysOf(store.list())).toEqual(['kept/object', 'new/folder/object'])
})

test('an empty folder that a crash left does not stand in the way of a key', async () => {
  mkdirSync(join(root, 'a/b'), { recursive: true })
  await store.put('a/b', bytes, { precondition: { kind: 'absent' } })
  expect(await keysOf(store.list())).toEqual(['a/b'])
})

test('a folder that is removed beside puts is made again', async () => {
  const writer = async (name: string) => {
    for (let i = 0; i < 40; i++) {
      await store.put(`x/y/${name}`, bytes)
      await store.delete([`x/y/${name}`])
    }
  }
  await Promise.all(['a', 'b', 'c'].map(writer))
  expect(filesIn(root)).toEqual([])
})

test('what another program wrote is an object, unless its name is no key', async () => {
  mkdirSync(join(root, 'ltx/0'), { recursive: true })
  writeFileSync(join(root, 'ltx/0/0000000000000001-0000000000000001.ltx'), bytes)
  writeFileSync(join(root, 'my file.txt'), bytes)
  expect(await keysOf(store.list())).toEqual(['ltx/0/0000000000000001-0000000000000001.ltx'])
  expect(await getBytes(store, 'ltx/0/0000000000000001-0000000000000001.ltx')).toEqual(bytes)
})

describe('a large body', () => {
  const CHUNK = 1024 * 1024
  const chunkOf = (n: number) => new Uint8Array(CHUNK).fill(n)

  test('whose chunks stay is made while the chunk before is written, one ahead and not more', async () => {
    using calls = watchSystemCalls()
    const written = () => calls.log.filter((call) => call.startsWith('write')).length
    const ahead: number[] = []
    const body = {
      chunksStay: true,
      async *open() {
        for (let n = 1; n <= 10; n++) {
          ahead.push(n - written())
          yield chunkOf(n)
        }
      },
    }
    await store.put('a', body)
    // A write is begun before the next chunk is asked for.
    expect(Math.max(...ahead)).toBe(1)
    const stored = await getBytes(store, 'a')
    for (let n = 1; n <= 10; n++) expect(stored[n * CHUNK - 1]).toBe(n)
    expect(stored.length).toBe(10 * CHUNK)
  })

  test('whose chunks change is never asked for the next one before the last was written', async () => {
    const chunk = new Uint8Array(CHUNK)
    await store.put('a', {
      async *open() {
        for (let n = 1; n <= 10; n++) yield chunk.fill(n)
      },
    })
    const stored = await getBytes(store, 'a')
    for (let n = 1; n <= 10; n++) expect([stored[(n - 1) * CHUNK], stored[n * CHUNK - 1]]).toEqual([n, n])
  })

  test('is nowhere when any of its system calls fails, nor when it fails or is aborted itself', async () => {
    const body = (signal?: () => void) => ({
      chunksStay: true,
      async *open() {
        for (let n = 1; n <= 9; n++) {
          if (n === 6) signal?.()
          yield chunkOf(n)
        }
      },
    })
    await store.put('folder/other', bytes)
    using calls = watchSystemCalls()
    await store.put('folder/a', body())
    const wanted = calls.log.filter((call) => /^(write|utimes|sync|datasync) \.sqlstream/.test(call))
    expect(wanted.filter((call) => call.startsWith('datasync')).length).toBe(2)
    await store.delete(['folder/a'])
    for (const failing of wanted.keys()) {
      let seen = 0
      calls.fail = (call) =>
        /^(write|utimes|sync|datasync) \.sqlstream/.test(call) && seen++ === failing ? 'EIO' : undefined
      await expect(store.put('folder/a', body())).rejects.toMatchObject({ code: 'unavailable' })
      calls.fail = () => undefined
      expect(filesIn(root)).toEqual(['folder/other'])
    }
    const broken = new Error('broken')
    const failed = store.put(
      'folder/a',
      body(() => {
        throw broken
      }),
    )
    await expect(failed).rejects.toBe(broken)
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = store.put(
      'folder/a',
      body(() => controller.abort(reason)),
      { signal: controller.signal },
    )
    await expect(aborted).rejects.toBe(reason)
    expect(filesIn(root)).toEqual(['folder/other'])
  })
})
