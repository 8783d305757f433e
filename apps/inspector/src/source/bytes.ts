import type { BlobStream } from '@sqlstream/storage'

/** A stream of the platform as a body of a store: chunk by chunk, let go when its reader leaves. */
export async function* bodyOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader()
  let isDone = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      isDone = done
      if (done) return
      yield value
    }
  } finally {
    if (!isDone) await reader.cancel()
  }
}

/** Bytes that are here already as a body of a store. */
export function wholeBody(whole: Uint8Array): BlobStream {
  return {
    whole,
    async *[Symbol.asyncIterator]() {
      if (whole.byteLength > 0) yield whole
    },
  }
}
