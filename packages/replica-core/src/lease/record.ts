import { formatTXID, parseTXID, type TXID } from '@sqlstream/ltx'
import type { Epoch } from '@sqlstream/replica'
import { LEASE_KEY, ReplicaError } from '@sqlstream/replica'

/** What the lease object says: who may write a replica. */
export interface LeaseRecord {
  /** From 1, grows with every change of writer, never reused: a released lease stays as a tombstone with its epoch. */
  readonly epoch: Epoch
  readonly state: 'held' | 'released'
  /** Files that this holder or one before it has sent may still arrive. */
  readonly inFlight: boolean
  /** TXID of a base that this holder or one before it was about to send: it may still arrive. */
  readonly base?: TXID | undefined
  /** For people: host, process, deploy. */
  readonly owner: string
  /** Random, one for each acquisition: with `renewal` it makes the bytes of each version unique. */
  readonly holder: string
  /** Random, kept in the state folder of the database that is written from: survives a restart of the writer. */
  readonly place: string
  /** Counts the versions that `holder` has written, from 0. */
  readonly renewal: number
  /** A holder that has not renewed it for so long has lost the right to write. Milliseconds. */
  readonly ttlMs: number
  /** When it was acquired, by the holder's clock, RFC 3339. For people. */
  readonly since: string
  /** When it ends unless renewed, by the holder's clock, RFC 3339. For people: nothing is decided by it. */
  readonly expires: string
}

/** The bytes of the lease object. */
export function encodeLease(record: LeaseRecord): Uint8Array {
  const { epoch, base, ...rest } = record
  const json = {
    version: 1,
    epoch: String(epoch),
    ...rest,
    ...(base !== undefined && { base: formatTXID(base) }),
  }
  return new TextEncoder().encode(`${JSON.stringify(json)}\n`)
}

/**
 * Reads the lease object; unknown fields are left for later versions.
 * @throws ReplicaError `corrupt`: whoever cannot read it must not write
 */
export function decodeLease(bytes: Uint8Array): LeaseRecord {
  let value: Partial<Record<keyof LeaseRecord | 'version', unknown>>
  try {
    value = (JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof value | null) ?? {}
  } catch (error) {
    throw new ReplicaError('corrupt', `${LEASE_KEY} is not JSON`, { cause: error })
  }
  const { version, epoch, state, inFlight, owner, holder, place, renewal, ttlMs, since, expires } = value
  if (version !== 1) throw wrong('version')
  if (typeof epoch !== 'string' || !/^[1-9][0-9]{0,18}$/.test(epoch)) throw wrong('epoch')
  if (state !== 'held' && state !== 'released') throw wrong('state')
  if (typeof inFlight !== 'boolean') throw wrong('inFlight')
  const base = baseOf(value.base)
  if (!isCount(renewal)) throw wrong('renewal')
  if (!isCount(ttlMs) || ttlMs === 0) throw wrong('ttlMs')
  const texts = { owner, holder, place, since, expires }
  for (const [field, text] of Object.entries(texts)) if (typeof text !== 'string') throw wrong(field)
  return { epoch: BigInt(epoch) as Epoch, state, inFlight, ...base, renewal, ttlMs, ...(texts as Texts) }
}

type Texts = Pick<LeaseRecord, 'owner' | 'holder' | 'place' | 'since' | 'expires'>

function baseOf(text: unknown): { base?: TXID } {
  if (text === undefined) return {}
  if (typeof text !== 'string') throw wrong('base')
  try {
    return { base: parseTXID(text) }
  } catch {
    throw wrong('base')
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function wrong(field: string): ReplicaError {
  return new ReplicaError('corrupt', `${LEASE_KEY} has no valid ${field}`, {
    hint: 'It was written by another version or damaged. When nobody writes this replica, `sqlstream lease steal` replaces it.',
  })
}
