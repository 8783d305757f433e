import { GCSRefusal } from './gcs-bucket.ts'

/** A mask of Google's `fields` parameter: which properties of an answer the client wants. */
export type FieldMask = ReadonlyMap<string, FieldMask | undefined>

/** Reads `a,b(c,d)`. @throws GCSRefusal 400 for what it does not know */
export function parseFields(text: string): FieldMask {
  const tokens = text.match(/[A-Za-z0-9]+|[(),]/g) ?? []
  if (tokens.join('') !== text)
    throw new GCSRefusal(400, 'invalidParameter', `Invalid field selection ${text}`)
  let at = 0
  const parse = (): FieldMask => {
    const mask = new Map<string, FieldMask | undefined>()
    for (;;) {
      const name = tokens[at++]
      if (name === undefined || !/^[A-Za-z]/.test(name))
        throw new GCSRefusal(400, 'invalidParameter', `Invalid field selection ${text}`)
      let inner: FieldMask | undefined
      if (tokens[at] === '(') {
        at += 1
        inner = parse()
        if (tokens[at++] !== ')')
          throw new GCSRefusal(400, 'invalidParameter', `Invalid field selection ${text}`)
      }
      mask.set(name, inner)
      if (tokens[at] !== ',') return mask
      at += 1
    }
  }
  const mask = parse()
  if (at !== tokens.length) throw new GCSRefusal(400, 'invalidParameter', `Invalid field selection ${text}`)
  return mask
}

/** The part of a JSON value that a mask selects. */
export function selectFields(value: unknown, mask: FieldMask | undefined): unknown {
  if (mask === undefined || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((each) => selectFields(each, mask))
  const entries = Object.entries(value).filter(([name]) => mask.has(name))
  return Object.fromEntries(entries.map(([name, inner]) => [name, selectFields(inner, mask.get(name))]))
}
