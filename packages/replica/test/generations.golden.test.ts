import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync } from 'node:fs'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import {
  type GoldenFile,
  type GoldenGenerations,
  type GoldenStep,
  goldenFolderOrReason,
  loadGoldenGenerations,
  TempFolder,
} from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import {
  type GenerationTarget,
  isReplicaError,
  planGeneration,
  Replica,
  restoreGeneration,
} from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { type Content, contentOf, dumped, integrity } from './database-content.ts'
import { MemorySink } from './memory-sink.ts'

const found = goldenFolderOrReason()
const folder = new TempFolder('generations')
afterAll(() => folder.remove())

test('the golden backup of Litestream 0.3 is there', () => {
  expect(found, 'set SQLSTREAM_SHARED').toHaveProperty('folder')
})

if ('folder' in found) {
  const { folder } = found
  describe('a backup of Litestream 0.3.13', () => backup(loadGoldenGenerations(folder)))
}

function backup(golden: GoldenGenerations): void {
  const expected = golden.steps.map((step) => dumped(golden.dump(step)))
  let targets = 0

  function latest(): GenerationTarget {
    return { kind: 'latest' }
  }

  function at(step: GoldenStep): GenerationTarget {
    return { kind: 'timestamp', timestamp: new Date(step.safeTimestampMs) }
  }

  /** The files as objects; `change` may give other bytes, or none to leave one out. */
  async function memoryStore(
    change: (file: GoldenFile, bytes: Uint8Array) => Uint8Array | undefined = (_, bytes) => bytes,
    rename: (path: string) => string = (path) => path,
  ): Promise<BlobStore> {
    let now = new Date(0)
    const store = new MemoryStore({ now: () => now, chunkSize: 1000 })
    for (const file of golden.files) {
      now = new Date(file.mtimeMs)
      const bytes = change(file, golden.read(file))
      if (bytes !== undefined) await store.put(rename(file.path), bytes)
    }
    return store
  }

  /** What the restored database holds. */
  async function restored(store: BlobStore, target: GenerationTarget): Promise<Content> {
    const place = folder.join(`target-${targets++}`)
    mkdirSync(place)
    const path = `${place}/app.db`
    const replica = new Replica(store)
    try {
      await restoreGeneration(replica, planGeneration(await replica.generations(), target), fileSink(path))
    } catch (error) {
      expect(readdirSync(place), 'an error leaves nothing').toEqual([])
      throw error
    }
    expect(integrity(path)).toBe('ok')
    return contentOf(new Database(path, { readonly: true }))
  }

  const layouts: readonly [string, () => Promise<BlobStore>][] = [
    [
      'files',
      async () => {
        const to = folder.join('files')
        golden.copyReplica(to)
        return new FileStore(to)
      },
    ],
    ['objects', () => memoryStore()],
    [
      'objects with a folder for each index',
      () => memoryStore(undefined, (path) => path.replace(/wal\/(.{8})_/, 'wal/$1/')),
    ],
  ]

  test.each(layouts)('G1, G3: each of its 12 states is restored by time from %s', async (_, open) => {
    const store = await open()
    expect(golden.steps).toHaveLength(12)
    for (const [i, step] of golden.steps.entries()) {
      expect(await restored(store, at(step)), step.label).toEqual(expected[i])
    }
    expect(await restored(store, latest())).toEqual(expected[11])
    expect(await restored(store, { ...latest(), generation: '3131c0b75e8911ca' })).toEqual(expected[8])
  })

  /** Targets that together need every object, and what each must give. */
  const wishes = [
    { target: at(golden.steps[3]!), content: expected[3] },
    { target: { kind: 'latest', generation: '3131c0b75e8911ca' } as const, content: expected[8] },
    { target: latest(), content: expected[11] },
  ]

  /** Code of the error, or whether the content is right. */
  async function outcome(store: BlobStore, { target, content }: (typeof wishes)[number]): Promise<string> {
    try {
      return JSON.stringify(await restored(store, target)) === JSON.stringify(content) ? 'right' : 'wrong'
    } catch (error) {
      if (!isReplicaError(error)) throw error
      expect(error.hint).toMatch(/^[A-Z].*\.$/)
      return `${error.code}: ${error.message}`
    }
  }

  /** Hash of the restored image, or the error. */
  async function imageOf(store: BlobStore, target: GenerationTarget): Promise<string> {
    const sink = new MemorySink()
    const replica = new Replica(store)
    try {
      await restoreGeneration(replica, planGeneration(await replica.generations(), target), sink)
    } catch (error) {
      if (!isReplicaError(error)) throw error
      expect(sink.aborted).toBe(1)
      expect(sink.calls).not.toContain('commit')
      return `${error.code}: ${error.message}`
    }
    return createHash('sha256').update(sink.image).digest('hex')
  }

  test('G5, G6, T50: a missing segment is a gap, unless nothing that is left tells of it', async () => {
    const untold: string[] = []
    for (const missing of golden.files.filter(({ path }) => path.includes('/wal/'))) {
      const store = await memoryStore((file, bytes) => (file === missing ? undefined : bytes))
      const outcomes = await Promise.all(wishes.map((wish) => outcome(store, wish)))
      const wrong = outcomes.filter((each) => each !== 'right')
      expect(wrong.length, missing.path).toBeGreaterThan(0)
      for (const each of wrong) {
        if (each === 'wrong') untold.push(missing.path.slice('generations/'.length))
        else expect(each).toMatch(/^gap: /)
      }
    }
    expect(untold).toEqual([
      // The end of a WAL after which neither the database grew nor page 1 was written. SQLite's own check finds nothing either.
      '3131c0b75e8911ca/wal/00000002_000283e0.wal.lz4',
      // What never arrived: the state before it is the newest one there is.
      '3131c0b75e8911ca/wal/00000003_00003068.wal.lz4',
      '75d8dfcb0273bede/wal/00000000_0002f488.wal.lz4',
    ])
    const shorter = await memoryStore((file, bytes) =>
      file.path.endsWith('0002f488.wal.lz4') ? undefined : bytes,
    )
    expect(await restored(shorter, latest())).toEqual(expected[10])
  })

  test('G5, T50: a missing index is a gap, also the first one', async () => {
    const ofIndex = /generations\/(3131c0b75e8911ca)\/wal\/([0-9a-f]{8})_/
    const indexes = new Set(golden.files.map(({ path }) => ofIndex.exec(path)?.[2]).filter((index) => index))
    const newest = [...indexes].sort().at(-1)
    for (const index of indexes) {
      // Without the newest one nothing tells that there was one.
      if (index === newest) continue
      const store = await memoryStore((file, bytes) =>
        ofIndex.exec(file.path)?.[2] === index ? undefined : bytes,
      )
      const outcomes = await Promise.all(wishes.map((wish) => outcome(store, wish)))
      expect(outcomes, index).not.toContain('wrong')
      expect(outcomes.filter((each) => each.startsWith('gap: ')).length, index).toBeGreaterThan(0)
    }
    expect(indexes.size).toBeGreaterThan(2)
  })

  test('G5, T50: the hint for a hole leads to the state before it', async () => {
    const store = await memoryStore((file, bytes) =>
      file.path.endsWith('3131c0b75e8911ca/wal/00000002_00001038.wal.lz4') ? undefined : bytes,
    )
    const wish = { kind: 'latest', generation: '3131c0b75e8911ca' } as const
    const error: unknown = await restored(store, wish).catch((reason: unknown) => reason)
    const [time = ''] = /20[0-9T:.-]+Z/.exec(isReplicaError(error, 'gap') ? (error.hint ?? '') : '') ?? []
    expect(await restored(store, { kind: 'timestamp', timestamp: new Date(time) })).toEqual(expected[5])
    // A moment later the missing segment could be nearer.
    const later = new Date(Date.parse(time) + 1)
    await expect(restored(store, { kind: 'timestamp', timestamp: later })).rejects.toMatchObject({
      code: 'gap',
    })
  })

  test.each(['snapshots', 'wal'])(
    'G7: one changed byte anywhere in %s is corrupt, never another state, and names the object',
    async (kind) => {
      const refused = new Set<string>()
      const ofKind = golden.files.filter(({ path }) => path.includes(kind))
      const catalog = await new Replica(await memoryStore()).generations()
      for (const damaged of ofKind) {
        const wish = wishes.find(({ target }) => {
          const { snapshot, segments } = planGeneration(catalog, target)
          return [snapshot, ...segments].some(({ key }) => key === damaged.path)
        })
        const { target } = wish!
        const image = await imageOf(await memoryStore(), target)
        for (const at of places(golden.read(damaged).byteLength)) {
          const store = await memoryStore((file, bytes) => {
            if (file === damaged) bytes[at]! ^= 1 << (at % 8)
            return bytes
          })
          const outcome = await imageOf(store, target)
          // Where LZ4 finds the same bytes elsewhere nothing is wrong.
          if (outcome === image) continue
          expect(outcome).toContain(`corrupt: ${damaged.path}`)
          refused.add(damaged.path)
        }
      }
      expect(refused.size).toBe(ofKind.length)
    },
    60_000,
  )

  test('G7: an object that was cut is corrupt, wherever', async () => {
    for (const cut of golden.files.slice(-5)) {
      for (const size of [0, 5, 10, 20, cut.size >>> 1, cut.size - 8, cut.size - 4, cut.size - 1]) {
        const store = await memoryStore((file, bytes) => (file === cut ? bytes.subarray(0, size) : bytes))
        expect(await imageOf(store, latest())).toContain(`corrupt: ${cut.path}`)
      }
    }
  })
}

/** Places in a file: both ends whole, where lengths and checksums are, and some in between. */
function places(size: number): number[] {
  const ends = 16
  const step = Math.ceil(size / 30)
  return Array.from({ length: size }, (_, at) => at).filter(
    (at) => at < ends || at >= size - ends || at % step === 0,
  )
}
