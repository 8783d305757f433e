import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { FileStore, fileDriver } from '../src/index.ts'
import { testFolder } from './folder.ts'

const folder = testFolder()

function url(path: string, query = ''): URL {
  return new URL(`${pathToFileURL(join(folder, path))}${query}`)
}

test('a file URL opens its folder, which need not exist', async () => {
  const store = await fileDriver.open(url('a b/ü#?'))
  expect(store).toBeInstanceOf(FileStore)
  expect((store as FileStore).root).toBe(join(folder, 'a b/ü#?'))
  await store.put('x', new Uint8Array(1))
  expect(fileDriver).toMatchObject({ name: store.driver, schemes: ['file'] })
})

test('create=false makes a missing folder an error', async () => {
  await using store = await fileDriver.open(url('missing', '?create=false'))
  await expect(store.put('x', new Uint8Array(1))).rejects.toMatchObject({ code: 'not-found' })
})

test.each([
  ['s3://bucket/x', 'is not a file: URL'],
  ['file://host/x', 'names no local folder'],
  ['file:///x?create=maybe', 'neither true nor false'],
  ['file:///x?creat=true', 'unknown parameter "creat"'],
  ['file:///x#part', 'has a fragment'],
  ['file:///a%00b', 'is no path'],
])('%s is refused', async (text, message) => {
  const opening = fileDriver.open(new URL(text))
  await expect(opening).rejects.toMatchObject({ code: 'invalid-config', operation: 'open' })
  await expect(opening).rejects.toThrow(message)
})

test('a file is no folder', async () => {
  writeFileSync(join(folder, 'file'), '')
  await expect(fileDriver.open(url('file'))).rejects.toMatchObject({ code: 'invalid-config' })
})

test('an abort rejects with its reason', async () => {
  const reason = new Error('enough')
  await expect(fileDriver.open(url('x'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})
