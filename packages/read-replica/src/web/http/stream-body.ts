import type { BlobStream } from '@sqlstream/storage'

/** A stream of the platform as a body of a store: chunk by chunk, let go when its reader leaves. `size` is in bytes. */
export async function* bodyOf(
  stream: ReadableStream<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader()
  let left = size
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      left -= value.byteLength
      yield value
    }
  } finally {
    // Who knows the length leaves at the last byte: to break off there would look like a failure.
    if (left > 0) await reader.cancel()
    else await reader.read()
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
