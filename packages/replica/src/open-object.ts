import type { ByteStream } from '@sqlstream/ltx'
import { type BlobStore, BodyReader, createBody } from '@sqlstream/storage'
import { type Listed, readWhole } from './read-whole.ts'

/** An object's bytes. No request before the first one is asked for: an idle connection would be closed by the server. */
export function openWhenRead(
  store: BlobStore,
  object: Listed,
  options: { readonly signal?: AbortSignal | undefined },
): ByteStream {
  let opening: Promise<BodyReader> | undefined
  function opened(): Promise<BodyReader> {
    opening ??= readWhole(store, object, options).then(({ body }) => new BodyReader(body))
    return opening
  }
  return createBody({
    next: async () => (await opened()).next(),
    readInto: async (target) => (await opened()).readInto(target),
    async close() {
      // One that is still being opened must not be forgotten; a failure was told where it was asked for.
      const reader = await opening?.catch(() => undefined)
      await reader?.close()
    },
  })
}

/** The bytes of an object that is being fetched already. */
export async function* whenFetched(bytes: Promise<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield await bytes
}
