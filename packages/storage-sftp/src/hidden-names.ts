import { createHash, randomBytes } from 'node:crypto'

/**
 * Every file that is ours but no object starts with this. `~` is no character of keys, so no key can
 * name such a file, and the leading dot hides it from people's listings.
 */
export const HIDDEN_PREFIX = '.sqlstream~'

/** A new name for a file that is being written. It holds the time of its making: the protocol tells no other than `timestamp`. */
export function tempName(now: number = Date.now()): string {
  return `${HIDDEN_PREFIX}temp~${now.toString(36)}~${randomBytes(8).toString('hex')}`
}

export function isTempName(name: string): boolean {
  return TEMP.test(name)
}

/** Milliseconds since 1970 by the writer's clock; undefined for other names. */
export function timeOfTempName(name: string): number | undefined {
  const time = TEMP.exec(name)?.[1]
  return time === undefined ? undefined : Number.parseInt(time, 36)
}

const TEMP = /^\.sqlstream~temp~([0-9a-z]{1,10})~[0-9a-f]{16}$/

/** What `replaceVersion` puts beside an object while one of its versions is being replaced. */
export interface Claim {
  /** `hashFileName` of the object: the name itself may already have the longest length. */
  readonly object: string
  readonly etag: string
  readonly generation: number
}

export function claimName({ object, etag, generation }: Claim): string {
  return `${HIDDEN_PREFIX}claim~${object}~${etag}~${generation}`
}

export function parseClaimName(name: string): Claim | undefined {
  const match = /^\.sqlstream~claim~([0-9a-f]{32})~([0-9a-z-]+)~(\d+)$/.exec(name)
  if (match === null) return undefined
  const [, object, etag, generation] = match
  return { object: object!, etag: etag!, generation: Number(generation) }
}

export function hashFileName(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}
