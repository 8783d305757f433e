import { createHash, randomBytes } from 'node:crypto'

/**
 * Every file that is ours but no object starts with this. `~` is no character of keys, so no key can
 * name such a file, and the leading dot hides it from people's listings.
 */
export const HIDDEN_PREFIX = '.sqlstream~'

/** A new name for a file that is being written. */
export function tempName(): string {
  return `${HIDDEN_PREFIX}temp~${process.pid}~${randomBytes(8).toString('hex')}`
}

/** What `replaceVersion` puts beside an object while one of its versions is being replaced. */
export interface Mark {
  readonly kind: 'claim' | 'dead'
  /** Hash of the object's file name: the name itself may already have the longest length. */
  readonly object: string
  readonly etag: string
  readonly generation: number
}

export function markName(mark: Mark): string {
  return `${HIDDEN_PREFIX}${mark.kind}~${mark.object}~${mark.etag}~${mark.generation}`
}

export function parseMarkName(name: string): Mark | undefined {
  const match = /^\.sqlstream~(claim|dead)~([0-9a-f]{32})~([0-9-]+)~(\d+)$/.exec(name)
  if (match === null) return undefined
  const [, kind, object, etag, generation] = match
  return { kind: kind as Mark['kind'], object: object!, etag: etag!, generation: Number(generation) }
}

/** The `object` of a mark. */
export function hashFileName(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}
