import { type BlobStore, type BlobStream, type GetOptions, getBytes } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

type ReadInto = NonNullable<BlobStream['readInto']>

/** The store with another `readInto`. */
function withReadInto(
  store: BlobStore,
  make: (right: ReadInto, key: string, options: GetOptions | undefined) => ReadInto,
): Partial<BlobStore> {
  return {
    async get(key, options) {
      const { info, body } = await store.get(key, options)
      const right: ReadInto = (target) => body.readInto!(target)
      const readInto = make(right, key, options)
      return { info, body: { [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](), readInto } }
    },
  }
}

/** What can be wrong with reading into memory. */
export const readIntoSabotages: Sabotages = {
  'counts the room instead of the bytes': [
    'S42',
    (store) =>
      withReadInto(store, (right) => async (target) => ((await right(target)) > 0 ? target.length : 0)),
  ],
  'spoils memory behind the bytes': [
    'S42',
    (store) =>
      withReadInto(store, (right) => async (target) => {
        const size = await right(target)
        target.fill(0, size)
        return size
      }),
  ],
  'fills the whole buffer behind the memory': [
    'S42',
    (store) => withReadInto(store, (right) => async (target) => right(new Uint8Array(target.buffer))),
  ],
  'reads into memory from the beginning, whatever the iterator brought': [
    'S42',
    (store) =>
      withReadInto(store, (_right, key, options) => {
        let other: BlobStream | undefined
        return async (target) => {
          other ??= (await store.get(key, options)).body
          return other.readInto!(target)
        }
      }),
  ],
  'reads the newest version into memory': [
    'S42',
    (store) =>
      withReadInto(store, (right, key, options) => {
        let at = 0
        return async (target) => {
          const size = await right(target)
          if (size === 0 || options?.range !== undefined) return size
          const bytes = await getBytes(store, key, { range: { offset: at, length: size } })
          at += size
          target.set(bytes)
          return size
        }
      }),
  ],
  'takes no room for the end': [
    'S42',
    (store) => withReadInto(store, (right) => async (target) => (target.length === 0 ? 0 : right(target))),
  ],
  'has no signal while it reads into memory': [
    'S42',
    (store) => ({ get: (key, options) => store.get(key, { ...options, signal: undefined }) }),
  ],
}
