import { toChecksum } from '@sqlstream/ltx'
import { MemoryStore, StorageError } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { type Finding, type Progress, Replica, type VerifyOptions, verify } from '../src/index.ts'
import { collect } from './collect.ts'
import { countRequests } from './counting-store.ts'
import { encodeFile, pageOf, put, smallHistory, upload } from './model.ts'

const BOTH = ['chain', 'bytes'] as const

async function findings(replica: Replica, options?: VerifyOptions): Promise<string[]> {
  return (await collect(verify(replica, options))).map(
    ({ kind, severity, file }: Finding) =>
      `${severity} ${kind}${file ? ` ${file.level}/${file.maxTXID}` : ''}`,
  )
}

describe.each(BOTH)('depth %s', (depth) => {
  test('finds nothing in a healthy replica with levels and snapshots', async () => {
    const model = smallHistory()
    const replica = await upload(model, new MemoryStore())
    await put(replica, 1, 2, 3, model.file(2, 3))
    await put(replica, 1, 4, 5, model.file(4, 5))
    await put(replica, 9, 1, 3, model.file(1, 3))
    await put(replica, 9, 1, 5, model.file(1, 5))
    expect(await findings(replica, { depth })).toEqual([])
  })

  test('finds missing transactions', async () => {
    const replica = await upload(smallHistory(), new MemoryStore())
    await replica.store.delete([(await replica.catalog()).levels.get(0)![2]!.key])
    expect(await findings(replica, { depth })).toEqual(['error gap'])
    expect(await findings(new Replica(new MemoryStore()), { depth })).toEqual(['error gap'])
  })

  test('finds files of a level that repeat transactions (T25)', async () => {
    const model = smallHistory()
    const replica = await upload(model, new MemoryStore())
    await put(replica, 1, 2, 5, model.file(2, 5))
    await put(replica, 1, 3, 4, model.file(3, 4))
    expect(await findings(replica, { depth })).toEqual(['warning overlap 1/4'])
  })

  test('finds two histories that were mixed', async () => {
    const model = smallHistory()
    const other = smallHistory()
    other.states.length = 4
    other.commit(4, new Map([[2, pageOf(512, 77)]]))
    const replica = new Replica(new MemoryStore())
    for (const txid of [1, 2, 3, 5]) await put(replica, 0, txid, txid, model.file(txid, txid))
    await put(replica, 0, 4, 4, other.file(4, 4))
    expect(await findings(replica, { depth })).toEqual(['error chain-broken 0/5'])
  })

  test('finds a merge that disagrees with its sources', async () => {
    const model = smallHistory()
    const replica = await upload(model, new MemoryStore())
    const proof = {
      preApplyChecksum: model.states[1]!.checksum,
      postApplyChecksum: toChecksum((1n << 63n) | 1n),
    }
    const pages = model.states[3]!.changed
    await put(replica, 1, 2, 3, encodeFile({ min: 2, max: 3, pageSize: 512, commit: 9, pages, proof }))
    expect(await findings(replica, { depth })).toEqual(['error chain-broken 1/3'])
  })

  test('finds files of another page size', async () => {
    const replica = await upload(smallHistory(), new MemoryStore())
    const pages = new Map([[1, pageOf(1024, 1)]])
    await put(replica, 0, 6, 6, encodeFile({ min: 6, max: 6, pageSize: 1024, commit: 8, pages }))
    expect(await findings(replica, { depth })).toEqual(['error chain-broken 0/6', 'info unproven'])
  })

  test('finds objects that are too short, no LTX files, or another range than their name says', async () => {
    const model = smallHistory()
    const replica = await upload(model, new MemoryStore())
    await put(replica, 1, 1, 2, new Uint8Array(0))
    await put(replica, 1, 3, 4, new TextEncoder().encode('<Error>'.repeat(50)))
    await put(replica, 1, 5, 5, model.file(4, 4))
    expect(await findings(replica, { depth })).toEqual([
      'error corrupt 1/2',
      'error corrupt 1/4',
      'error corrupt 1/5',
    ])
  })

  test('finds names that should be LTX files and strangers, but knows its own and v0.3 objects', async () => {
    const replica = await upload(smallHistory(), new MemoryStore())
    for (const key of ['.sqlstream/identity.json', 'generations/1/snapshots/0.snapshot.lz4']) {
      await replica.store.put(key, new Uint8Array(1))
    }
    expect(await findings(replica, { depth })).toEqual([])
    await replica.store.put('ltx/0/copy.ltx', new Uint8Array(1))
    await replica.store.put('notes.txt', new Uint8Array(1))
    expect(await findings(replica, { depth })).toEqual(['error stray-object', 'info stray-object'])
  })

  test('counts files that prove nothing', async () => {
    const replica = await upload(smallHistory(), new MemoryStore(), { proof: false })
    const [finding, ...more] = await collect(verify(replica, { depth }))
    expect(more).toEqual([])
    expect(finding).toMatchObject({ kind: 'unproven', severity: 'info' })
    expect(finding?.message).toMatch(/^5 of 5 files/)
  })

  test('throws what the store throws, and calls a file that vanished meanwhile just that', async () => {
    const store = new MemoryStore()
    const replica = await upload(smallHistory(), store)
    for (const [code, expected] of [
      ['not-found', 'warning gap 0/3'],
      ['unavailable', undefined],
    ] as const) {
      const error = new StorageError('no', { code, driver: 'memory', operation: 'get' })
      const get = store.get.bind(store)
      store.get = (key, options) => (key.includes('3-') ? Promise.reject(error) : get(key, options))
      const outcome = await findings(replica, { depth }).catch((thrown: unknown) => thrown)
      expect(outcome).toEqual(expected ? [expected] : error)
      store.get = get
    }
  })

  test('reports progress to the end, and stops at an abort', async () => {
    const replica = await upload(smallHistory(), new MemoryStore())
    const seen: Progress[] = []
    await findings(replica, { depth, onProgress: (progress) => seen.push(progress) })
    const total = seen.at(-1)?.totalBytes
    expect(seen.length).toBe(5)
    expect(seen.at(-1)).toEqual({ bytes: total, totalBytes: total, files: 5, totalFiles: 5 })
    const controller = new AbortController()
    const reason = new Error('stop')
    const onProgress = ({ files }: Progress): void => {
      if (files === 2) controller.abort(reason)
    }
    const options = { depth, onProgress, signal: controller.signal }
    // At depth "chain" the few headers here are all requested before the second one is reported.
    const outcome = await findings(replica, options).catch((thrown: unknown) => thrown)
    if (depth === 'bytes') expect(outcome).toBe(reason)
    const before = await findings(replica, { depth, signal: AbortSignal.abort(reason) }).catch(
      (e: unknown) => e,
    )
    expect(before).toBe(reason)
  })
})

test('depth bytes lets go of files that are not what their name says', async () => {
  const { store, open } = countRequests(new MemoryStore({ chunkSize: 64 }))
  const replica = await upload(smallHistory(), store)
  await put(replica, 1, 2, 2, smallHistory().file(3, 3))
  expect(await findings(replica, { depth: 'bytes' })).toEqual(['error corrupt 1/2'])
  expect(open.size).toBe(0)
})

test('depth chain costs one listing and 100 bytes a file', async () => {
  const { store, requests } = countRequests(new MemoryStore())
  const replica = await upload(smallHistory(), store)
  requests.length = 0
  await findings(replica)
  expect(requests.map(({ operation, bytes }) => [operation, bytes])).toEqual([
    ['list', 0],
    ...Array.from({ length: 5 }, () => ['get', 100]),
  ])
})

test('depth bytes finds each flipped byte, depth chain those in headers that matter', async () => {
  const replica = await upload(smallHistory(), new MemoryStore())
  const file = (await replica.catalog()).levels.get(0)![2]!
  const bytes = smallHistory().file(3, 3)
  for (let at = 0; at < bytes.byteLength; at += 13) {
    const damaged = bytes.slice()
    damaged[at]! ^= 0x10
    await replica.store.put(file.key, damaged)
    const found = await findings(replica, { depth: 'bytes' })
    expect(
      found.some((line) => line.startsWith('error')),
      `flipped at ${at}`,
    ).toBe(true)
  }
})
