import { type BlobInfo, type BlobStore, MemoryStore, type ReplayableBody } from '../src/index.ts'

/** A store with these objects. */
export async function storeWith(objects: Record<string, Uint8Array>): Promise<MemoryStore> {
  const store = new MemoryStore({ chunkSize: 10 })
  for (const [key, bytes] of Object.entries(objects)) await store.put(key, bytes)
  return store
}

/** Bytes 0, 1, 2, … modulo 251, so that any shift shows. */
export function countingBytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i % 251)
}

export async function keysOf(listing: AsyncIterable<BlobInfo>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listing) keys.push(key)
  return keys
}

export async function readAll(body: AsyncIterable<Uint8Array>): Promise<number[]> {
  const bytes: number[] = []
  for await (const chunk of body) bytes.push(...chunk)
  return bytes
}

/** A body of these chunks that tells whether its readings were released. */
export function chunksBody(
  chunks: readonly Uint8Array[],
  size?: number,
): ReplayableBody & { released: number } {
  const body = {
    released: 0,
    ...(size === undefined ? {} : { size }),
    async *open(): AsyncGenerator<Uint8Array> {
      try {
        yield* chunks
      } finally {
        body.released += 1
      }
    },
  }
  return body
}

/** Ranges of all get calls on a store, in order. */
export function withGetLog(store: BlobStore): { store: BlobStore; gets: unknown[] } {
  const gets: unknown[] = []
  const get: BlobStore['get'] = (key, options) => {
    gets.push(options?.range)
    return store.get(key, options)
  }
  return { gets, store: Object.assign(Object.create(store), { get }) }
}
