const WORDS = [
  'order',
  'shipped',
  'pending',
  'user',
  'example.test',
  'street',
  'Berlin',
  'blue',
  'invoice',
  'total',
]

/** Bytes that look like rows of text and numbers: LZ4 brings them to about 0.65 of their size. */
export function fillWithRows(bytes: Uint8Array, seed: number): void {
  let state = seed >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 8
  }
  for (let at = 0; at < bytes.length; ) {
    const word = next() % 3 === 0 ? next().toString(16) : (WORDS[next() % WORDS.length] ?? '')
    for (let i = 0; i < word.length && at < bytes.length; i++) bytes[at++] = word.charCodeAt(i)
    if (at < bytes.length) bytes[at++] = next() % 32
  }
}

/** Many payloads of this length, to be used in turn. */
export function rowPayloads(length: number, count = 256): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const payload = Buffer.alloc(length)
    fillWithRows(payload, i + 1)
    return payload
  })
}
