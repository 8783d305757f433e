import { type ETag, StorageError } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

/** What can be wrong with reading. */
export const getSabotages: Sabotages = {
  'gives an empty body for a missing object': [
    'S12',
    (store) => ({
      get: (key, options) =>
        store.get(key, options).catch(async (error: unknown) => {
          if ((error as StorageError).code !== 'not-found') throw error
          const info = { key, size: 0, etag: '' as ETag, modified: new Date() }
          return { info, body: (async function* () {})() }
        }),
    }),
  ],
  'tells the size of the range as that of the object': [
    'S14',
    (store) => ({
      async get(key, options) {
        const content = await store.get(key, options)
        const size = options?.range?.length ?? content.info.size
        return { ...content, info: { ...content.info, size } }
      },
    }),
  ],
  'takes a suffix for an offset': [
    'S15',
    (store) => ({
      get: (key, options = {}) =>
        store.get(
          key,
          options.range?.suffix ? { ...options, range: { offset: options.range.suffix } } : options,
        ),
    }),
  ],
  'answers a range past the end with nothing': [
    'S16',
    (store) => ({
      get: (key, options) =>
        store.get(key, options).catch(async (error: unknown) => {
          if ((error as StorageError).code !== 'range-not-satisfiable') throw error
          return { info: await store.head(key), body: (async function* () {})() }
        }),
    }),
  ],
  'repairs ranges': [
    'S17',
    (store) => ({
      get: (key, { range, ...rest } = {}) =>
        store.get(key, range?.offset !== undefined && !(range.offset >= 0) ? rest : { ...rest, range }),
    }),
  ],
  'hands out its own bytes': [
    'S19',
    (store) => {
      const kept = new Map<string, Uint8Array>()
      return {
        async get(key, options) {
          const { info, body } = await store.get(key, options)
          if (options?.range !== undefined) return { info, body }
          const id = `${key} ${info.etag}`
          let bytes = kept.get(id)
          if (bytes === undefined) {
            bytes = new Uint8Array(info.size)
            let offset = 0
            for await (const chunk of body) {
              bytes.set(chunk, offset)
              offset += chunk.length
            }
            kept.set(id, bytes)
          }
          const whole = bytes
          return {
            info,
            body: (async function* () {
              yield whole
            })(),
          }
        },
      }
    },
  ],
  'reads each part of a body anew': [
    'S20',
    (store) => ({
      async get(key, options) {
        const content = await store.get(key, options)
        if (options?.range !== undefined) return content
        const body = (async function* () {
          for (let offset = 0; offset < content.info.size; offset += 65_536) {
            yield* (await store.get(key, { ...options, range: { offset, length: 65_536 } })).body
          }
        })()
        return { info: content.info, body }
      },
    }),
  ],
  'unpacks what looks packed': [
    'S13',
    (store) => ({
      put(key, body, options) {
        const packed = body instanceof Uint8Array && body[0] === 0x1f && body[1] === 0x8b
        return store.put(key, packed ? body.subarray(10) : body, options)
      },
    }),
  ],
  'gives the time of the reading': [
    'S13',
    (store) => ({
      async get(key, options) {
        const { info, body } = await store.get(key, options)
        return { info: { ...info, modified: new Date(Date.now() + 60_000) }, body }
      },
    }),
  ],
  'keeps the connection of a body that is not read to its end': [
    'S18',
    (store) => {
      let held = 0
      return {
        async get(key, options) {
          if (held === 30)
            throw new StorageError('no connection', { code: 'timeout', driver: 'memory', operation: 'get' })
          held += 1
          const { info, body } = await store.get(key, options)
          const reading = body[Symbol.asyncIterator]()
          const next = async (): Promise<IteratorResult<Uint8Array>> => {
            const step = await reading.next()
            if (step.done === true) held -= 1
            return step
          }
          return { info, body: { [Symbol.asyncIterator]: () => ({ next }) } }
        },
      }
    },
  ],
}
