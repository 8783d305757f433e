import { type BlobStore, type ETag, type PutOptions, StorageError, withFaults } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

/** Whether the precondition of a put holds now. */
export async function holds(store: BlobStore, key: string, options: PutOptions = {}): Promise<boolean> {
  const { precondition } = options
  const etag = await store.head(key).then(
    (info) => info.etag,
    () => undefined,
  )
  return precondition?.kind === 'match' ? etag === precondition.etag : etag === undefined
}

/** The options without a precondition. */
export function without(options: PutOptions = {}): PutOptions {
  return { ...options, precondition: undefined }
}

/** What can be wrong with preconditions. */
export const preconditionSabotages: Sabotages = {
  'ignores preconditions': [
    'S30',
    (store) => withFaults(store, [{ operation: 'put', fault: 'ignore-precondition' }]),
  ],
  'checks absent too early': [
    'S31',
    (store) => ({
      async put(key, body, options) {
        if (options?.precondition?.kind !== 'absent') return store.put(key, body, options)
        if (
          await store.head(key).then(
            () => true,
            () => false,
          )
        )
          return store.put(key, body, options)
        return store.put(key, body, { ...options, precondition: undefined })
      },
    }),
  ],
  'takes a match on nothing for a new object': [
    'S32',
    (store) => ({
      async put(key, body, options) {
        const exists = await store.head(key).then(
          () => true,
          () => false,
        )
        return store.put(key, body, exists ? options : { ...options, precondition: undefined })
      },
    }),
  ],
  'checks match too early': [
    'S33',
    (store) => ({
      async put(key, body, options) {
        const { precondition } = options ?? {}
        if (precondition?.kind !== 'match') return store.put(key, body, options)
        const current = await store.head(key).then(
          ({ etag }) => etag,
          () => undefined,
        )
        return store.put(
          key,
          body,
          current === precondition.etag ? { ...options, precondition: undefined } : options,
        )
      },
    }),
  ],
  'ignores preconditions that it says it cannot keep': [
    'S34',
    (store) => ({
      capabilities: { conditionalPut: false, consistentList: true },
      put: (key, body, options) => store.put(key, body, { ...options, precondition: undefined }),
    }),
  ],
  'judges a precondition before it has read the body': [
    'S30',
    (store) => ({
      put: async (key, body, options) =>
        store.put(key, body, (await holds(store, key, options)) ? without(options) : options),
    }),
  ],
  'keeps its lock after a body that broke': [
    'S32',
    (store) => {
      const locked = new Set<string>()
      return {
        async put(key, body, options) {
          if (options?.precondition === undefined) return store.put(key, body, options)
          if (locked.has(key))
            return store.put(key, body, { precondition: { kind: 'match', etag: 'locked' as ETag } })
          locked.add(key)
          const unlock = (): void => void locked.delete(key)
          return store.put(key, body, options).then(
            (info) => {
              unlock()
              return info
            },
            (error: unknown) => {
              if (error instanceof StorageError) unlock()
              throw error
            },
          )
        },
      }
    },
  ],
}
