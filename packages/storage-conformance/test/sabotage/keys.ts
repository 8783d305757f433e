import { isStorageError } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

const escaped = (key: string): string => (key.match(/[A-Za-z0-9._-]+/g) ?? ['x']).join('/')

/** What can be wrong with keys. */
export const keysSabotages: Sabotages = {
  'takes any key': [
    'S1',
    (store) => ({
      head: (key, options) => store.head(escaped(key), options),
      put: (key, body, options) => store.put(escaped(key), body, options),
    }),
  ],
  'deletes before it checks all keys': [
    'S1',
    (store) => ({
      async delete(keys, options) {
        for (const key of keys) await store.delete([key], options)
      },
    }),
  ],
  'hides dot files': [
    'S2',
    (store) => ({
      async *list(options) {
        for await (const info of store.list(options)) if (!info.key.includes('/.')) yield info
      },
    }),
  ],
  'overwrites a file by a folder of its name': [
    'S3',
    (store) => ({
      async put(key, body, options) {
        const folder = key.slice(0, key.lastIndexOf('/'))
        if (key.includes('/')) await store.delete([folder])
        return store.put(key, body, options)
      },
    }),
  ],
  'lists nothing for a prefix that is not legal': [
    'S1',
    (store) => ({
      async *list(options) {
        try {
          yield* store.list(options)
        } catch (error) {
          if (!isStorageError(error, 'invalid-key')) throw error
        }
      },
    }),
  ],
  'takes a folder for an object': [
    'S3',
    (store) => ({
      async head(key, options) {
        for await (const info of store.list({ prefix: `${key}/` })) return { ...info, key, size: 0 }
        return store.head(key, options)
      },
    }),
  ],
}
