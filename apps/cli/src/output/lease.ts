import type { LeaseRecord } from '@sqlstream/replica-core'
import type { LeaseJSON } from '../schema.ts'
import { formatDuration } from './units.ts'

/** A lease as it appears in `--json` output. */
export function leaseJSON(source: string, record: LeaseRecord | undefined): LeaseJSON {
  if (record === undefined) return { source, state: 'none' }
  const { state, epoch, owner, since, expires, ttlMs } = record
  return { source, state, epoch: String(epoch), owner, since, expires, ttlMs }
}

/** A lease in one line. */
export function leaseLine({ source, state, epoch, owner, since, expires, ttlMs = 0 }: LeaseJSON): string {
  if (state === 'none') return `${source}: nobody has ever held the lease`
  if (state === 'released') return `${source}: free; epoch ${epoch} was released by ${owner}`
  return `${source}: held by ${owner} since ${since} as epoch ${epoch}, until ${expires} unless renewed (${formatDuration(ttlMs)})`
}
