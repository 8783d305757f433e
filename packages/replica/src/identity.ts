import { ReplicaError } from './errors.ts'
import { IDENTITY_KEY } from './layout.ts'

/** Which database a replica belongs to. Written once, by its first writer. */
export interface Identity {
  /** Random, made by the first writer. */
  readonly databaseId: string
  /** Page size of the database when the replica began, in bytes. */
  readonly pageSize: number
  /** When the replica began, RFC 3339. */
  readonly created: string
}

/** The bytes of the identity object. */
export function encodeIdentity(identity: Identity): Uint8Array {
  const { databaseId, pageSize, created } = identity
  return new TextEncoder().encode(`${JSON.stringify({ databaseId, pageSize, created })}\n`)
}

/** Reads the identity object; unknown fields are left for later versions. Throws ReplicaError `corrupt`. */
export function decodeIdentity(bytes: Uint8Array): Identity {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new ReplicaError('corrupt', `${IDENTITY_KEY} is not JSON`, { cause: error })
  }
  const { databaseId, pageSize, created } = (value ?? {}) as Partial<Record<keyof Identity, unknown>>
  if (typeof databaseId !== 'string' || databaseId === '') throw wrong('databaseId')
  if (typeof pageSize !== 'number') throw wrong('pageSize')
  if (typeof created !== 'string') throw wrong('created')
  return { databaseId, pageSize, created }
}

function wrong(field: keyof Identity): ReplicaError {
  return new ReplicaError('corrupt', `${IDENTITY_KEY} has no valid ${field}`)
}
