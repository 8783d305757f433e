import { mkdirSync, readdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { discardBody, getBytes } from '@sqlstream/storage'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { FileStore } from '../src/index.ts'
import { filesIn, keysOf, testFolder } from './folder.ts'

const folder = testFolder()
let root: string
let store: FileStore
let count = 0

beforeEach(() => {
  root = join(folder, `r${count++}`)
  store = new FileStore(root)
})

const bytes = new Uint8Array(1_000_000).fill(7)

test('the timestamp of a put is the modification time, to the millisecond, for us and for others', async () => {
  const dates = fc.date({ min: new Date('1980-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  await fc.assert(
    fc.asyncProperty(dates, async (timestamp) => {
      const put = await store.put('a', new Uint8Array(1), { timestamp })
      expect(put.modified).toEqual(timestamp)
      expect((await store.head('a')).modified).toEqual(timestamp)
      // Cutting and rounding the nanoseconds agree.
      const { mtimeNs } = statSync(join(root, 'a'), { bigint: true })
      expect(Number(mtimeNs / 1_000_000n)).toBe(timestamp.getTime())
      expect(Math.round(Number(mtimeNs) / 1e6)).toBe(timestamp.getTime())
    }),
    { numRuns: 50 },
  )
})

test('without a timestamp the modification time is now', async () => {
  const { modified } = await store.put('a', new Uint8Array(1))
  expect(Math.abs(modified.getTime() - Date.now())).toBeLessThan(60_000)
})

test('versions of equal size in quick succession have different etags', async () => {
  const etags = new Set<string>()
  for (let i = 0; i < 100; i++) etags.add((await store.put('a', new Uint8Array(8))).etag)
  expect(etags.size).toBe(100)
})

test('equal size and equal timestamp still make another etag than the version before', async () => {
  const timestamp = new Date(1_700_000_000_000)
  let previous = ''
  for (let i = 0; i < 20; i++) {
    const { etag } = await store.put('a', Uint8Array.of(i), { timestamp })
    expect(etag).not.toBe(previous)
    previous = etag
  }
})

test('an etag survives a hard link and a change of mode, as a snapshot by cp -al makes', async () => {
  const { chmod, link } = await import('node:fs/promises')
  const { etag } = await store.put('a', bytes)
  await link(join(root, 'a'), join(root, 'b'))
  await chmod(join(root, 'a'), 0o600)
  expect((await store.head('a')).etag).toBe(etag)
})

test.runIf(process.platform === 'linux')(
  'bodies that are left, discarded or failed hold no descriptor',
  async () => {
    await store.put('a', bytes)
    await store.put('b', bytes)
    const open = () => readdirSync('/proc/self/fd').length
    const before = open()
    for (let i = 0; i < 20; i++) {
      await discardBody((await store.get('a')).body)
      for await (const _ of (await store.get('a')).body) break
      await store.get('a', { range: { offset: 1e9 } }).catch(() => {})
      await getBytes(store, 'a')
      const aborted = await store.get('a', { signal: AbortSignal.timeout(1e6) })
      await discardBody(aborted.body)
      await store.put('c', { size: 1, open: async function* () {} }).catch(() => {})
    }
    for await (const _ of store.list()) break
    expect(open()).toBe(before)
  },
)

test('a file that is cut while it is read fails instead of ending early', async () => {
  await store.put('a', bytes)
  const { body } = await store.get('a')
  const reading = (async () => {
    for await (const _ of body) truncateSync(join(root, 'a'), 300_000)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'unavailable', key: 'a' })
})

test('symbolic links, pipes and folders are no objects', async () => {
  const { execFileSync } = await import('node:child_process')
  mkdirSync(join(root, 'folder'), { recursive: true })
  writeFileSync(join(folder, 'outside'), 'secret')
  symlinkSync(join(folder, 'outside'), join(root, 'link'))
  symlinkSync(folder, join(root, 'linked-folder'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  for (const key of ['link', 'pipe', 'folder']) {
    await expect(store.head(key)).rejects.toMatchObject({ code: 'not-found' })
    await expect(store.get(key)).rejects.toMatchObject({ code: 'not-found' })
  }
  expect(await keysOf(store.list())).toEqual([])
  await store.delete(['link', 'pipe', 'folder'])
  expect(filesIn(root)).toContain('link')
})

test('no call goes through a folder that is a symbolic link, below a root that may be one', async () => {
  mkdirSync(join(folder, `elsewhere${count}`))
  writeFileSync(join(folder, `elsewhere${count}`, 'a'), 'secret')
  mkdirSync(root)
  symlinkSync(root, `${root}-link`)
  symlinkSync(join(folder, `elsewhere${count}`), join(root, 'out'))
  const linked = new FileStore(`${root}-link`)
  await linked.put('in/a', bytes)
  expect(await keysOf(linked.list())).toEqual(['in/a'])
  const failure = { code: 'permission-denied', hint: expect.any(String) }
  for (const key of ['out/a', 'out/b/c']) {
    await expect(linked.head(key)).rejects.toMatchObject(failure)
    await expect(linked.get(key)).rejects.toMatchObject(failure)
    await expect(linked.put(key, bytes)).rejects.toMatchObject(failure)
    await expect(linked.delete([key])).rejects.toMatchObject(failure)
  }
  await expect(keysOf(linked.list({ prefix: 'out/' }))).rejects.toMatchObject(failure)
  expect(readdirSync(join(folder, `elsewhere${count}`))).toEqual(['a'])
})

test('by default a missing root is an empty store, and the first put makes it', async () => {
  expect(await keysOf(store.list())).toEqual([])
  await expect(store.head('a')).rejects.toMatchObject({ code: 'not-found', message: 'there is no object a' })
  await store.delete(['a'])
  expect(() => statSync(root)).toThrow()
  await store.put('a', bytes)
  expect(await keysOf(store.list())).toEqual(['a'])
})

test('with createRoot: false a root that was never there is an error and is not made', async () => {
  const careful = new FileStore(root, { createRoot: false })
  const failure = {
    code: 'not-found',
    message: `folder ${root} does not exist`,
    hint: expect.stringMatching(/mount/),
  }
  await expect(keysOf(careful.list())).rejects.toMatchObject(failure)
  await expect(careful.get('a/b')).rejects.toMatchObject(failure)
  await expect(careful.put('a/b', bytes)).rejects.toMatchObject(failure)
  await expect(careful.put('a/b', bytes, { precondition: { kind: 'absent' } })).rejects.toMatchObject(failure)
  expect(() => statSync(root)).toThrow()
})

test.each(['', 'a\0b'])('root %j is refused', (text) => {
  expect(() => new FileStore(text)).toThrow(TypeError)
})

test('readInto of a file that is cut fails, and the descriptor is given back', async () => {
  await store.put('a', bytes)
  const { body } = await store.get('a')
  const target = new Uint8Array(300_000)
  expect(await body.readInto!(target)).toBe(300_000)
  truncateSync(join(root, 'a'), 300_000)
  await expect(body.readInto!(target)).rejects.toMatchObject({ code: 'unavailable', key: 'a' })
  expect(await body.readInto!(target)).toBe(0)
})

test('readInto reads straight into the memory of the reader, WebAssembly too, at most 1 MiB a time', async () => {
  const content = Uint8Array.from({ length: 1_500_000 }, (_, i) => i % 251)
  await store.put('a', content)
  const { buffer } = new WebAssembly.Memory({ initial: 32, maximum: 32 })
  const memory = new Uint8Array(buffer, 100, 1_900_000)
  const { body } = await store.get('a', { range: { offset: 7 } })
  const sizes: number[] = []
  let at = 0
  for (;;) {
    const size = await body.readInto!(memory.subarray(at))
    if (size === 0) break
    sizes.push(size)
    at += size
  }
  expect(sizes).toEqual([1 << 20, 1_500_000 - 7 - (1 << 20)])
  expect(Buffer.compare(memory.subarray(0, at), content.subarray(7))).toBe(0)
})
