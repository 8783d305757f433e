import type * as LTX from '@sqlstream/ltx'

export const PAGE_SIZES: readonly LTX.PageSize[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

/** Throws unless both are the same value or the same bytes. */
export function equal<T extends string | number | bigint | Uint8Array>(
  actual: T,
  expected: T | undefined,
  what: string,
): void {
  if (actual instanceof Uint8Array && expected instanceof Uint8Array) {
    const at = actual.findIndex((byte, i) => byte !== expected[i])
    if (actual.length === expected.length && at < 0) return
    throw new Error(`${what}: ${actual.length} of ${expected.length} bytes, the first wrong one at ${at}`)
  }
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`)
}

/** Bytes of a xorshift generator, the same everywhere. */
export function random(seed: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = (seed * 2_654_435_761) | 1
  for (let i = 0; i < size; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state >>> 11
  }
  return bytes
}

const WORDS =
  'insert into note (id, text) values select from where order by the of and database page frame'.split(' ')

/** Prose: words in a random order. */
function text(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  const order = random(5, size)
  for (let at = 0, i = 0; at < size; i++) {
    const { written } = new TextEncoder().encodeInto(
      `${WORDS[order[i]! % WORDS.length]} `,
      bytes.subarray(at),
    )
    at += written
  }
  return bytes
}

/** As a b-tree page is: cell pointers, a gap of zeros, records of random and repeated parts. */
function records(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  const noise = random(6, size)
  for (let i = 0; i < size / 16; i++) bytes[i] = i % 2 === 0 ? 1 + (i >>> 7) : i
  for (let at = size - 1, i = 0; at > size / 3; i++) {
    const length = 5 + (noise[i]! % 60)
    const from = noise[i]! % 3 === 0 ? (i * 31) % (size - 64) : 7
    for (let k = 0; k < length && at > size / 3; k++) bytes[at--] = noise[from + k]!
  }
  return bytes
}

/** The kinds of pages that the known answers are for. */
export const CONTENTS = {
  zeros: (size: number): Uint8Array => new Uint8Array(size),
  text,
  random: (size: number): Uint8Array => random(4, size),
  records,
}

/** The first digits of a SHA-256, 16 by default. */
export async function sha256(bytes: Uint8Array, digits = 16): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as BufferSource)
  return [...new Uint8Array(hash)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .slice(0, digits)
}

/** Bytes as a stream of chunks. */
export async function* streamOf(bytes: Uint8Array, chunk: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
}

/** `accepted`, or with which code and where bytes were refused. Throws if something other than an LTXError came. */
export async function outcomeOf(ltx: typeof LTX, work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'accepted'
  } catch (error) {
    if (!ltx.isLTXError(error)) throw error
    return `${error.code} at ${error.offset}`
  }
}
