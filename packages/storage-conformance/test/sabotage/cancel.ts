import type { Sabotages } from './sabotages.ts'

/** What can be wrong with aborting. */
export const cancelSabotages: Sabotages = {
  'looks at the signal after the work': [
    'S37',
    (store) => ({
      async delete(keys, { signal } = {}) {
        await store.delete(keys)
        signal?.throwIfAborted()
      },
    }),
  ],
  'wraps the reason of an abort': [
    'S37',
    (store) => ({
      head: (key, options) =>
        store.head(key, options).catch((cause: unknown) => {
          throw options?.signal?.aborted ? new Error('aborted', { cause }) : cause
        }),
    }),
  ],
  'has no signal while it reads a body': [
    'S38',
    (store) => ({
      put: (key, body, options) => store.put(key, body, { precondition: options?.precondition }),
    }),
  ],
  'tells an abort as an error of the connection': [
    'S38',
    (store) => ({
      async head(key, options) {
        const info = await store.head(key, options)
        for (let turn = 0; turn < 5; turn++) await Promise.resolve()
        if (options?.signal?.aborted === true) throw new Error('connection closed')
        return info
      },
    }),
  ],
  'has no signal between the entries of a listing': [
    'S38',
    (store) => ({
      async *list({ signal, ...rest } = {}) {
        signal?.throwIfAborted()
        yield* store.list(rest)
      },
    }),
  ],
  'has no signal while a body is read': [
    'S38',
    (store) => ({
      async get(key, { signal, ...rest } = {}) {
        signal?.throwIfAborted()
        return store.get(key, rest)
      },
    }),
  ],
}
