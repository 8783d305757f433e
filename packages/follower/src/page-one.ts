/**
 * What differs in page 1 of a copy from that of the database. SQLite must take the copy for one with a rollback journal (bytes 18, 19), must
 * notice each change (counter in 24..27, repeated in 92..95), and must believe the size in 28..31. The schema cookie in 40..43 must differ from every
 * one that was there with another schema, also after the history went back: a connection that slept meanwhile would take the one for the other.
 */
const RANGES = [
  [18, 20],
  [24, 32],
  [40, 44],
  [92, 96],
] as const

/** Bytes of the fields of page 1 that a copy has its own of. */
export const OWN_BYTES = 18

/** The fields as they are in the database. */
export function ownFields(page: Uint8Array): Uint8Array {
  const fields = new Uint8Array(OWN_BYTES)
  let at = 0
  for (const [start, end] of RANGES) {
    fields.set(page.subarray(start, end), at)
    at += end - start
  }
  return fields
}

/** Puts the fields of the database into a page 1 of the copy. */
export function putFields(page: Uint8Array, fields: Uint8Array): void {
  let at = 0
  for (const [start, end] of RANGES) {
    page.set(fields.subarray(at, at + end - start), start)
    at += end - start
  }
}

/** What a page 1 of the copy has of its own. */
export interface LocalFields {
  readonly counter: number
  /** Pages. */
  readonly commit: number
  readonly cookie: number
}

/** Makes a page 1 of the database one of the copy. */
export function makeLocal(page: Uint8Array, { counter, commit, cookie }: LocalFields): void {
  const view = viewOf(page)
  page[18] = 1
  page[19] = 1
  view.setUint32(24, counter)
  view.setUint32(28, commit)
  view.setUint32(40, cookie)
  view.setUint32(92, counter)
}

/** What readers tell changes by. */
export function counterOf(page: Uint8Array): number {
  return viewOf(page).getUint32(24)
}

/** What readers tell changes of the schema by. */
export function cookieOf(page: Uint8Array): number {
  return viewOf(page).getUint32(40)
}

export function setCookie(page: Uint8Array, cookie: number): void {
  viewOf(page).setUint32(40, cookie)
}

/** The cookie of the copy after the one of the database changed: that of the database, unless it was there already. */
export function nextCookie(local: number, database: number): number {
  return Math.max(local + 1, database) >>> 0
}

/** The change counter of the database, in what `ownFields` gave. */
export function counterIn(fields: Uint8Array): number {
  return viewOf(fields).getUint32(2)
}

/** The schema cookie of the database, in what `ownFields` gave. */
export function cookieIn(fields: Uint8Array): number {
  return viewOf(fields).getUint32(10)
}

/** Whether the file says that it is in WAL mode: a copy never does. */
export function isWAL(page: Uint8Array): boolean {
  return page[18] === 2 || page[19] === 2
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
