import { type BlobInfo, StorageError } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

/** What can be wrong with errors and lifetime. */
export const errorsSabotages: Sabotages = {
  'forgets the key in errors': [
    'S39',
    (store) => ({
      head: (key, options) =>
        store.head(key, options).catch((error: StorageError) => {
          throw error.name === 'StorageError'
            ? new StorageError(error.message, { code: error.code, driver: error.driver, operation: 'head' })
            : error
        }),
    }),
  ],
  'remembers what it was told of an object': [
    'S41',
    (store) => {
      const known = new Map<string, BlobInfo>()
      return {
        async head(key, options) {
          const info = known.get(key) ?? (await store.head(key, options))
          known.set(key, info)
          return info
        },
      }
    },
  ],
}
