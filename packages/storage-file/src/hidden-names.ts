import { createHash, randomBytes } from 'node:crypto'

/**
 * Every file that is ours but no object starts with this. `~` is no character of keys, so no key can
 * name such a file, and the leading dot hides it from people's listings.
 */
export const HIDDEN_PREFIX = '.sqlstream~'

/** No other thread, process or machine has it. */
const ours = randomBytes(8).toString('hex')
let names = 0

/** A new name for a file that is being written. */
export function tempName(): string {
  return `${HIDDEN_PREFIX}temp~${process.pid}~${ours}${(names++).toString(16)}`
}

export function isTempName(name: string): boolean {
  return /^\.sqlstream~temp~\d+~[0-9a-f]+$/.test(name)
}

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
  const match = /^\.sqlstream~claim~([0-9a-f]{32})~([0-9-]+)~(\d+)$/.exec(name)
  if (match === null) return undefined
  const [, object, etag, generation] = match
  return { object: object!, etag: etag!, generation: Number(generation) }
}

export function hashFileName(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}
