import { type AbortOptions, type BlobInfo, type BlobStore, withPrefix } from '@sqlstream/storage'
import type { ConformanceTest, Harness } from './harness.ts'

/** What a case works with. */
export interface CaseContext {
  readonly harness: Harness
  /** The store under test, below a random prefix. */
  readonly store: BlobStore
  /** Another handle on the same objects, below the same prefix; disposed with the case. */
  open(): Promise<BlobStore>
  readonly signal: AbortSignal | undefined
  readonly manyKeys: number
  readonly largeBytes: number
  readonly abortPatienceMs: number
}

/** A test and the part of it that differs. */
export type Case = Omit<ConformanceTest, 'run'> & {
  readonly run: (context: CaseContext) => Promise<void>
}

/** Gives a case its random place and takes away what it wrote. */
export function toConformanceTest(item: Case): ConformanceTest {
  return {
    ...item,
    async run(harness: Harness, options: AbortOptions = {}): Promise<void> {
      const prefix = `sqlstream-conformance-${crypto.randomUUID()}/`
      const opened: BlobStore[] = []
      async function open(): Promise<BlobStore> {
        const store = await harness.open()
        opened.push(store)
        return withPrefix(store, prefix)
      }
      const { signal } = options
      const { manyKeys = 1005, largeBytes = (17 << 20) + 5, abortPatienceMs = 5000 } = harness
      try {
        const store = await open()
        try {
          await item.run({ harness, store, open, signal, manyKeys, largeBytes, abortPatienceMs })
        } finally {
          await removeAll(opened[0]!, prefix)
        }
      } catch (error) {
        if (signal?.aborted === true) throw error
        const message = error instanceof Error ? error.message : String(error)
        throw new Error(`${message} (keys below ${prefix})`, { cause: error })
      } finally {
        for (const store of opened) await store[Symbol.asyncDispose]()
      }
    },
  }
}

async function removeAll(store: BlobStore, prefix: string): Promise<void> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix })) {
    // A store that ignores the prefix must not cost anybody his objects.
    if (key.startsWith(prefix)) keys.push(key)
  }
  if (keys.length > 0) await store.delete(keys)
}

/** All entries of a listing. */
export async function entriesOf(listing: AsyncIterable<BlobInfo>): Promise<BlobInfo[]> {
  const entries: BlobInfo[] = []
  for await (const info of listing) entries.push(info)
  return entries
}

/** All keys of a listing. */
export async function keysOf(listing: AsyncIterable<BlobInfo>): Promise<string[]> {
  return (await entriesOf(listing)).map(({ key }) => key)
}

/** Puts one byte under each key, a few at a time. */
export async function putAll(store: BlobStore, keys: readonly string[]): Promise<void> {
  const queue = keys.values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const key of queue) await store.put(key, new Uint8Array(1))
    }),
  )
}
