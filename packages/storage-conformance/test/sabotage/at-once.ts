import { StorageError } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

let running = 0

/** What can be wrong with calls at once. */
export const atOnceSabotages: Sabotages = {
  'refuses calls when there are many': [
    'S47',
    (store) => ({
      async head(key, options) {
        running += 1
        try {
          if (running > 50)
            throw new StorageError('busy', { code: 'rate-limited', driver: 'memory', operation: 'head', key })
          return await store.head(key, options)
        } finally {
          running -= 1
        }
      },
    }),
  ],
  'mixes up the answers of calls at once': [
    'S47',
    (store) => {
      let wanted = ''
      return {
        async get(key, options) {
          wanted = key
          await Promise.resolve()
          return store.get(wanted, options)
        },
      }
    },
  ],
}
