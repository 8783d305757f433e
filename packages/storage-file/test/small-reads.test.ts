import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { getBytes, isStorageError } from '@sqlstream/storage'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { FileStore } from '../src/index.ts'
import { inThisThread, isOnLocalDisk } from '../src/local-disk.ts'
import { readFile } from '../src/read-file.ts'
import { testFolder } from './folder.ts'

const folder = testFolder()
let root: string
let store: FileStore
let count = 0

beforeEach(() => {
  root = join(folder, `r${count++}`)
  store = new FileStore(root)
})

const content = Uint8Array.from({ length: 5000 }, (_, i) => i % 251)

/** The same from a disk of this machine and from elsewhere. */
describe.each([true, false])('a small file, on a disk of this machine: %s', (isLocal) => {
  const get = (key: string, options: Parameters<typeof readFile>[2] = {}) =>
    readFile(join(root, key), key, options, isLocal)

  beforeEach(async () => {
    await store.put('a', content)
  })

  test('is there in chunks, in portions and in both by turns', async () => {
    const { info, body } = await get('a')
    expect(info.size).toBe(5000)
    const target = new Uint8Array(3000)
    expect(await body.readInto!(target)).toBe(3000)
    expect(Buffer.compare(target, content.subarray(0, 3000))).toBe(0)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.compare(Buffer.concat(chunks), content.subarray(3000))).toBe(0)
    expect(await body.readInto!(target)).toBe(0)
    await expect(body.readInto!(new Uint8Array(0))).rejects.toThrow(RangeError)
  })

  test('is there in ranges, and an empty one too', async () => {
    const { info, body } = await get('a', { range: { offset: 10, length: 20 } })
    expect(info.size).toBe(5000)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.compare(Buffer.concat(chunks), content.subarray(10, 30))).toBe(0)
    await expect(get('a', { range: { offset: 5000 } })).rejects.toMatchObject({
      code: 'range-not-satisfiable',
    })
    await store.put('empty', new Uint8Array(0))
    for await (const _ of (await get('empty')).body) throw new Error('a byte')
  })

  test('goes where there is room for it', async () => {
    const memory = new Uint8Array(100)
    const room = (size: number): Uint8Array => memory.subarray(50, 50 + size)
    const { body } = await get('a', { range: { offset: 10, length: 20 }, room })
    if (isLocal) expect(body.whole!.buffer).toBe(memory.buffer)
    const target = new Uint8Array(30)
    expect(await body.readInto!(target)).toBe(20)
    expect(Buffer.compare(target.subarray(0, 20), content.subarray(10, 30))).toBe(0)
    expect(memory.every((byte, i) => byte === (isLocal && i >= 50 && i < 70 ? content[i - 40] : 0))).toBe(
      true,
    )
  })

  test('is no longer read after it was let go or aborted', async () => {
    const left = (await get('a')).body
    for await (const _ of left) break
    expect(await left.readInto!(new Uint8Array(9))).toBe(0)
    const controller = new AbortController()
    const { body } = await get('a', { signal: controller.signal })
    expect(await body.readInto!(new Uint8Array(9))).toBe(9)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(body.readInto!(new Uint8Array(9))).rejects.toBe(reason)
    expect(await body.readInto!(new Uint8Array(9))).toBe(0)
  })

  test('that is not there, or is none, is told as such', async () => {
    for (const key of ['b', '.']) {
      await expect(get(key)).rejects.toSatisfy((error) => isStorageError(error, 'not-found'))
    }
  })

  test.runIf(process.platform === 'linux')('leaves no descriptor open, however it ends', async () => {
    const open = () => readdirSync('/proc/self/fd').length
    const before = open()
    for (let i = 0; i < 10; i++) {
      for await (const _ of (await get('a')).body);
      await get('a', { range: { offset: 5000 } }).catch(() => {})
      await get('.').catch(() => {})
    }
    expect(open()).toBe(before)
  })
})

test.runIf(process.platform === 'linux')('what is in memory is on this machine, /proc is not', async () => {
  expect(await isOnLocalDisk('/proc/self')).toBe(false)
  expect(await isOnLocalDisk(join(root, 'nothing'))).toBeUndefined()
  await store.put('a', content)
  const bytes = await getBytes(store, 'a')
  expect(Buffer.compare(bytes, content)).toBe(0)
})

test('a root that comes to be after it was asked for is looked at then', async () => {
  await expect(store.get('a/b')).rejects.toSatisfy((error) => isStorageError(error, 'not-found'))
  await store.put('a/b', content)
  expect(Buffer.compare(await getBytes(store, 'a/b'), content)).toBe(0)
})

test('whoever does much in this thread lets others come in between', async () => {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  try {
    let turns = 0
    let isOver = false
    const other = (): void => {
      turns++
      if (!isOver) setImmediate(other)
    }
    setImmediate(other)
    for (let i = 0; i < 100; i++) await inThisThread(() => (now += 2))
    isOver = true
    // Two hundred milliseconds of which no more than five or six in a row.
    expect(turns).toBeGreaterThanOrEqual(33)
    await expect(
      inThisThread(() => {
        throw new Error('work')
      }),
    ).rejects.toThrow('work')
  } finally {
    clock.mockRestore()
  }
})
