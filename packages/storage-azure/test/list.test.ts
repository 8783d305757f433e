import type { ContainerClient } from '@azure/storage-blob'
import { expect, test } from 'vitest'
import { listBlobs } from '../src/list.ts'
import { Requests } from '../src/requests.ts'
import { azuriteForTests } from './azurite.ts'

const azurite = azuriteForTests()
const requests = new Requests({ concurrency: 4, timeoutMs: 30_000, leastBytesPerSecond: 65_536 })

async function keysOf(
  client: ContainerClient,
  options: { prefix?: string; startAfter?: string },
  pageSize?: number,
): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listBlobs(client, requests, options, pageSize)) keys.push(key)
  return keys
}

test('pages join without a gap or a repetition, wherever they begin', async () => {
  const client = azurite.client(await azurite.container())
  const names = ['a', 'a-', 'a.', 'a/1', 'a/2', 'a/3', 'a0', 'aB', 'a_', 'ab', 'b/1']
  // What is no key is no object of ours: Data Lake's folders, other programs' names.
  for (const name of [...names, 'a b', 'ä', 'a/2/', 'x//y']) await client.uploadBlockBlob(name, 'x', 1)
  for (const pageSize of [1, 3, 100]) {
    for (const prefix of ['', 'a/', 'a/2', 'zz']) {
      for (const startAfter of ['', 'a', 'a/2', 'a/22', 'b/1', 'zzz']) {
        const expected = names.filter((name) => name.startsWith(prefix) && name > startAfter)
        expect(
          await keysOf(client, { prefix, startAfter }, pageSize),
          `${pageSize} ${prefix} ${startAfter}`,
        ).toEqual(expected)
      }
    }
  }
})

/** A service that answers with these pages, whatever it is asked. */
function serviceWith(...pages: readonly (readonly string[])[]): ContainerClient {
  const properties = { contentLength: 1, etag: 'e', lastModified: new Date(0) }
  return {
    listBlobsFlat: () => ({
      byPage: ({ continuationToken = '0' }: { continuationToken?: string }) => ({
        next: async () => {
          const n = Number(continuationToken)
          const blobItems = pages[n]!.map((name) => ({ name, properties }))
          const next = n + 1 < pages.length ? String(n + 1) : ''
          return { done: false, value: { segment: { blobItems }, continuationToken: next } }
        },
      }),
    }),
  } as unknown as ContainerClient
}

test('a service that does not know where to start is no problem, and an empty page is not the end', async () => {
  const client = serviceWith(['a', 'b'], [], ['c'], [])
  expect(await keysOf(client, { startAfter: 'a' })).toEqual(['b', 'c'])
})

test.each([
  ['within a page', serviceWith(['a/b', 'a-b'])],
  ['between pages', serviceWith(['b'], ['a'])],
  ['by saying something twice', serviceWith(['b'], ['b'])],
])('one that breaks the order %s is refused: an account with folders', async (_, client) => {
  await expect(keysOf(client, {})).rejects.toMatchObject({
    code: 'unsupported',
    hint: expect.stringContaining('hierarchical namespace'),
  })
})
