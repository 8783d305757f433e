import { randomBytes } from 'node:crypto'

/** A new name for what is no object: `~` is no character of keys, so no key can name it. It holds the time of its making. */
export function tempName(now: number = Date.now()): string {
  return `.sqlstream~temp~${now.toString(36)}~${randomBytes(8).toString('hex')}`
}

/** Milliseconds since 1970 by the writer's clock; undefined for other names. */
export function timeOfTempName(name: string): number | undefined {
  const time = /^\.sqlstream~temp~([0-9a-z]{1,10})~[0-9a-f]{16}$/.exec(name)?.[1]
  return time === undefined ? undefined : Number.parseInt(time, 36)
}
