import fs, { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { getBytes } from '@sqlstream/storage'
import { beforeEach, describe, expect, it } from 'vitest'
import { FileStore } from '../src/index.ts'
import { testFolder } from './folder.ts'

const bytes = new Uint8Array(10).fill(7)
let root: string
let aside: string
let store: FileStore
beforeEach(async () => {
  const folder = testFolder()
  root = join(folder, 'mount')
  aside = join(folder, 'aside')
  store = new FileStore(root)
  await store.put('ltx/0/a', bytes)
})

describe.each([
  ['is gone', () => undefined],
  ['is an empty folder, as behind a disk that is not mounted', () => mkdirSync(root)],
])('a root that %s', (_what, leave) => {
  beforeEach(() => {
    renameSync(root, aside)
    leave()
  })

  it('is unavailable for every call, and nothing is made there', async () => {
    const before = readdirSync(join(root, '..'))
    const { etag } = await new FileStore(aside).head('ltx/0/a')
    const calls: (() => Promise<unknown>)[] = [
      () => store.head('ltx/0/a'),
      () => store.get('ltx/0/a'),
      () => collectKeys(store),
      () => store.put('ltx/0/a', bytes),
      () => store.put('ltx/0/b', bytes, { precondition: { kind: 'absent' } }),
      () => store.put('ltx/0/a', bytes, { precondition: { kind: 'match', etag } }),
      () => store.put('other/a', bytes),
      () => store.delete(['ltx/0/a']),
    ]
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({
        code: 'unavailable',
        transient: false,
        hint: expect.stringContaining('Mount the disk') as string,
      })
    expect(readdirSync(join(root, '..'))).toEqual(before)
    expect(before.includes('mount') ? readdirSync(root) : []).toEqual([])
  })

  it('is as before when it is back', async () => {
    await expect(store.head('ltx/0/a')).rejects.toMatchObject({ code: 'unavailable' })
    rmSync(root, { recursive: true, force: true })
    renameSync(aside, root)
    expect(await getBytes(store, 'ltx/0/a')).toEqual(bytes)
    await store.put('other/a', bytes)
    expect(await collectKeys(store)).toEqual(['ltx/0/a', 'other/a'])
  })
})

const LOOKS = ['openSync', 'lstatSync', 'statSync'] as const

/** The root is away for the n-th look of the process at a file, and back at once. Returns how many looks there were. */
async function flicker(n: number, call: () => Promise<unknown>): Promise<number> {
  const { lstat } = promises
  const originals = Object.fromEntries(LOOKS.map((name) => [name, fs[name]]))
  let looks = 0
  const away = (isNow: boolean): void => {
    if (isNow) renameSync(root, aside)
    else renameSync(aside, root)
  }
  promises.lstat = (async (...args: Parameters<typeof lstat>) => {
    const isTheOne = looks++ === n
    if (isTheOne) away(true)
    return await lstat(...args).finally(() => isTheOne && away(false))
  }) as typeof lstat
  for (const name of LOOKS) {
    const look = fs[name] as (...args: unknown[]) => unknown
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        const isTheOne = looks++ === n
        if (isTheOne) away(true)
        try {
          return look(...args)
        } finally {
          if (isTheOne) away(false)
        }
      },
    })
  }
  syncBuiltinESMExports()
  try {
    await call()
  } finally {
    Object.assign(promises, { lstat })
    Object.assign(fs, originals)
    syncBuiltinESMExports()
  }
  return looks
}

it.each(['get', 'head', 'match'])(
  'a root that is away for one look makes nothing missing (%s)',
  async (which) => {
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => getBytes(store, 'ltx/0/a'),
      head: () => store.head('ltx/0/a'),
      match: async () => store.put('ltx/0/a', bytes, { precondition: { kind: 'match', etag } }),
    }
    let { etag } = await store.head('ltx/0/a')
    for (let n = 0; ; n++) {
      etag = (await store.head('ltx/0/a')).etag
      // What cannot be done then is not done, and may be tried again.
      const looks = await flicker(n, () =>
        calls[which]!().catch((error) => expect(error).toMatchObject({ code: 'unavailable' })),
      )
      expect(await getBytes(store, 'ltx/0/a')).toEqual(bytes)
      if (n >= looks) return
    }
  },
)

it('a folder that nobody has seen before is as it is', async () => {
  const fresh = new FileStore(join(root, '..', 'fresh'))
  expect(await collectKeys(fresh)).toEqual([])
  await expect(fresh.head('a')).rejects.toMatchObject({ code: 'not-found' })
  await fresh.put('a', bytes)
  await fresh.delete(['a', 'b'])
  await expect(fresh.head('a')).rejects.toMatchObject({ code: 'not-found' })
})

async function collectKeys(from: FileStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of from.list()) keys.push(key)
  return keys
}
