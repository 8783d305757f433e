import { type BlobInfo, type BlobStore, type ETag, withFaults } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

async function* eachOf(entries: readonly BlobInfo[]): AsyncGenerator<BlobInfo> {
  yield* entries
}

async function all(store: BlobStore, options?: Parameters<BlobStore['list']>[0]): Promise<BlobInfo[]> {
  const entries: BlobInfo[] = []
  for await (const info of store.list(options)) entries.push(info)
  return entries
}

/** What can be wrong with listings. */
export const listSabotages: Sabotages = {
  'lists without order': ['S4', (store) => withFaults(store, [{ operation: 'list', fault: 'shuffle' }])],
  'lists the first page only': [
    'S5',
    (store) => ({
      async *list(options) {
        let left = 30
        for await (const info of store.list(options)) if (left-- > 0) yield info
      },
    }),
  ],
  'takes a prefix for a folder': [
    'S6',
    (store) => ({
      async *list(options = {}) {
        const { prefix = '' } = options
        for await (const info of store.list({ ...options, prefix })) {
          if (/(^|\/)$/.test(prefix) || info.key === prefix || info.key.startsWith(`${prefix}/`)) yield info
        }
      },
    }),
  ],
  'starts at the key instead of after it': [
    'S7',
    (store) => ({
      async *list(options = {}) {
        const { startAfter = '', ...rest } = options
        for await (const info of store.list(rest)) if (info.key >= startAfter) yield info
      },
    }),
  ],
  'ignores startAfter without an object': [
    'S7',
    (store) => ({
      async *list(options = {}) {
        const { startAfter, ...rest } = options
        const known =
          startAfter !== undefined &&
          (await store.head(startAfter).then(
            () => true,
            () => false,
          ))
        yield* store.list(known ? options : rest)
      },
    }),
  ],
  'lists other etags': [
    'S8',
    (store) => ({
      async *list(options) {
        for await (const info of store.list(options)) yield { ...info, etag: `"${info.etag}"` as ETag }
      },
    }),
  ],
  'lists late': ['S9', (store) => withFaults(store, [{ operation: 'list', fault: 'stale', newest: 1 }])],
  'lists a key twice while others write': [
    'S10',
    (store) => ({
      async *list(options) {
        const entries = await all(store, options)
        yield* eachOf(entries.length > 100 ? [...entries.slice(0, 50), ...entries.slice(49)] : entries)
      },
    }),
  ],
  'fails for an empty listing': [
    'S11',
    (store) => ({
      async *list(options) {
        const entries = await all(store, options)
        if (entries.length === 0) throw new Error('nothing there')
        yield* eachOf(entries)
      },
    }),
  ],
  'lists one page after startAfter': [
    'S7',
    (store) => ({
      async *list(options) {
        // More than the tests of one page have.
        let left = options?.startAfter === undefined ? Infinity : 35
        for await (const info of store.list(options)) if (left-- > 0) yield info
      },
    }),
  ],
  'counts entries instead of going on after a key': [
    'S10',
    (store) => ({
      async *list(options) {
        for (let at = 0; ; at += 10) {
          const page = (await all(store, options)).slice(at, at + 10)
          if (page.length === 0) return
          yield* page
        }
      },
    }),
  ],
}
