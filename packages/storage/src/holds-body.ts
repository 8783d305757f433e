import type { BlobBody, BlobContent } from './blob-store.ts'
import { readBody } from './body.ts'

/** Whether an object holds exactly the bytes of a body. Reads both to the end, or to the first difference. */
export async function holdsBody(content: BlobContent, body: BlobBody): Promise<boolean> {
  const stored = content.body[Symbol.asyncIterator]()
  try {
    const size = body instanceof Uint8Array ? body.byteLength : body.size
    if (size !== undefined && size !== content.info.size) return false
    let rest: Uint8Array = EMPTY
    for await (const part of readBody(body)) {
      let chunk: Uint8Array = part
      while (chunk.byteLength > 0) {
        if (rest.byteLength === 0) {
          const next = await stored.next()
          if (next.done) return false
          rest = next.value
          continue
        }
        const length = Math.min(rest.byteLength, chunk.byteLength)
        if (!isSame(rest, chunk, length)) return false
        rest = rest.subarray(length)
        chunk = chunk.subarray(length)
      }
    }
    while (rest.byteLength === 0) {
      const next = await stored.next()
      if (next.done) return true
      rest = next.value
    }
    return false
  } finally {
    await stored.return?.()
  }
}

const EMPTY: Uint8Array = new Uint8Array(0)

function isSame(a: Uint8Array, b: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false
  return true
}
