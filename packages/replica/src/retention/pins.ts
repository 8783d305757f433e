import { formatTXID, parseTXID, type TXID } from '@sqlstream/ltx'
import { type BlobStore, isStorageError } from '@sqlstream/storage'
import { ReplicaError } from '../errors.ts'
import { PINS_PREFIX } from '../layout.ts'
import { type AbortOptions, signalOf } from '../replica.ts'
import { readObject, readVersion } from './own-object.ts'

/** Somebody needs a state: retention keeps it restorable until the pin expires. */
export interface Pin {
  /** Letters, digits, `.`, `_` and `-`, at most 100; it may not begin with a dot. Unique: a second pin of the same id replaces the first. */
  readonly id: string
  /** A restorable state. One that is not restorable is not held. */
  readonly txid: TXID
  /** For people: who needs it and why. */
  readonly reason: string
  /** Judged by the clock of whoever runs retention. */
  readonly expires: Date
}

/** The bytes of a pin. */
export function encodePin({ txid, reason, expires }: Pin): Uint8Array {
  const json = { version: 1, txid: formatTXID(txid), reason, expires: expires.toISOString() }
  return new TextEncoder().encode(`${JSON.stringify(json)}\n`)
}

/** Reads a pin; unknown fields are left for later versions. Throws ReplicaError `corrupt`. */
export function decodePin(id: string, bytes: Uint8Array): Pin {
  const key = pinKey(id)
  const { version, txid, reason, expires } = readObject(key, bytes)
  if (version !== 1) throw wrong(key, 'version')
  if (typeof txid !== 'string') throw wrong(key, 'txid')
  if (typeof reason !== 'string') throw wrong(key, 'reason')
  const end = new Date(typeof expires === 'string' ? expires : Number.NaN)
  if (Number.isNaN(end.getTime())) throw wrong(key, 'expires')
  try {
    return { id, txid: parseTXID(txid), reason, expires: end }
  } catch (error) {
    throw wrong(key, 'txid', error)
  }
}

/**
 * Holds a state. Needs no lease. Put it before the listing that counts: retention lists pins before it removes anything, so what is listed
 * after the pin is there stays. Who knows the TXID only from a listing pins it, lists again, and plans again.
 *
 * @throws RangeError for an id that is none; the store's errors
 */
export async function pin(store: BlobStore, pin: Pin, options: AbortOptions = {}): Promise<void> {
  await store.put(pinKey(pin.id), encodePin(pin), signalOf(options))
}

/** Lets go of a state; a pin that is not there is no error. */
export async function unpin(store: BlobStore, id: string, options: AbortOptions = {}): Promise<void> {
  await store.delete([pinKey(id)], signalOf(options))
}

/**
 * All pins, also those that have expired, by id.
 *
 * @throws ReplicaError `corrupt`: whoever cannot read a pin must remove nothing; the store's errors
 */
export async function listPins(store: BlobStore, options: AbortOptions = {}): Promise<Pin[]> {
  const ids: string[] = []
  for await (const { key } of store.list({ prefix: PINS_PREFIX, ...signalOf(options) })) {
    const [, id] = /^([^/]+)\.json$/.exec(key.slice(PINS_PREFIX.length)) ?? []
    if (id !== undefined && isPinId(id)) ids.push(id)
  }
  const pins: Pin[] = []
  for (const id of ids) {
    try {
      const { bytes } = await readVersion(store, pinKey(id), options)
      pins.push(decodePin(id, bytes))
    } catch (error) {
      // Let go of since the listing.
      if (!isStorageError(error, 'not-found')) throw error
    }
  }
  return pins
}

/** Key of a pin. Throws RangeError for an id that is none. */
export function pinKey(id: string): string {
  if (!isPinId(id)) throw new RangeError(`not the id of a pin: ${JSON.stringify(id)}`)
  return `${PINS_PREFIX}${id}.json`
}

function isPinId(id: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(id)
}

function wrong(key: string, field: string, cause?: unknown): ReplicaError {
  return new ReplicaError('corrupt', `${key} has no valid ${field}`, {
    cause,
    hint: 'Nothing is removed while a pin cannot be read. Find out who wrote it, then delete the object.',
  })
}
