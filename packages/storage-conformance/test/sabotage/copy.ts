import { type BlobStore, type CopySource, getBytes, withFaults } from '@sqlstream/storage'
import { holds, without } from './precondition.ts'
import type { Sabotages } from './sabotages.ts'

/** A copy by way of this process, which the sabotages damage. */
async function bytesOf({ store, key }: CopySource): Promise<Uint8Array> {
  return getBytes(store, key)
}

/** Two names of one object, as a hard link makes them. */
function linking(store: BlobStore): Partial<BlobStore> {
  const names = new Map<string, string>()
  const named = (key: string): string => names.get(key) ?? key
  return {
    async copy(source, key, options) {
      const info = await store.copy?.(source, key, options)
      names.set(key, named(source.key))
      return info
    },
    get: (key, options) => store.get(named(key), options),
    async delete(keys, options) {
      for (const key of keys) names.delete(key)
      await store.delete(keys, options)
    },
  }
}

/** What can be wrong with copies. */
export const copySabotages: Sabotages = {
  'copies half of an object': [
    'S48',
    (store) => ({
      copy: async (source, key, options) =>
        store.put(key, (await bytesOf(source)).subarray(0, 50_000), options),
    }),
  ],
  'links instead of copying': ['S48', linking],
  'never copies': ['S48', () => ({ copy: async () => undefined })],
  'ignores the precondition of a copy': [
    'S49',
    (store) => withFaults(store, [{ operation: 'copy', fault: 'ignore-precondition' }]),
  ],
  'judges the precondition of a copy too early': [
    'S49',
    (store) => ({
      copy: async (source, key, options) =>
        store.copy?.(source, key, (await holds(store, key, options)) ? without(options) : options),
    }),
  ],
  'ignores preconditions of copies that it says it cannot keep': [
    'S49',
    (store) => ({
      capabilities: { conditionalPut: false, consistentList: true },
      copy: async (source, key, options) => store.copy?.(source, key, without(options)),
    }),
  ],
  'copies nothing as an empty object': [
    'S50',
    (store) => ({
      copy: async (source, key, options) =>
        store.put(key, await bytesOf(source).catch(() => new Uint8Array(0)), options),
    }),
  ],
  'takes an object of any store for one of its own': [
    'S51',
    (store) => ({
      copy: async (source, key, options) => store.put(key, await bytesOf(source), options),
    }),
  ],
  'lets a copy have the time of its source': [
    'S52',
    (store) => ({
      async head(key, options) {
        const info = await store.head(key, options)
        return key.endsWith('/b') ? { ...info, modified: new Date(0) } : info
      },
    }),
  ],
  'has no signal for copies': [
    'S53',
    (store) => ({
      copy: async (source, key, options) => store.copy?.(source, key, { ...options, signal: undefined }),
      copySource: (key) => store.copySource?.(key),
    }),
  ],
}
