import type { Sabotages } from './sabotages.ts'

/** What can be wrong with deleting. */
export const deleteSabotages: Sabotages = {
  'fails to delete what is not there': [
    'S35',
    (store) => ({
      async delete(keys, options) {
        for (const key of keys) await store.head(key, options)
        await store.delete(keys, options)
      },
    }),
  ],
  'deletes a folder': [
    'S36',
    (store) => ({
      async delete(keys, options) {
        await store.delete(keys, options)
        for (const key of keys) {
          for await (const info of store.list({ prefix: `${key}/` })) await store.delete([info.key])
        }
      },
    }),
  ],
  'gives up a request of many keys when one is missing': [
    'S35',
    (store) => ({
      async delete(keys, options) {
        for (let at = 0; at < keys.length; at += 10) {
          const batch = keys.slice(at, at + 10)
          const missing = await Promise.all(
            batch.map((key) =>
              store.head(key).then(
                () => false,
                () => true,
              ),
            ),
          )
          if (batch.length < 10 || !missing.includes(true)) await store.delete(batch, options)
        }
      },
    }),
  ],
}
