import type { Epoch } from '@sqlstream/replica'
import { describe, expect, it } from 'vitest'
import { planHold, planLease } from '../../src/lease/plan-lease.ts'
import type { LeaseRecord } from '../../src/lease/record.ts'

function found(more: Partial<Omit<LeaseRecord, 'base'>> = {}): { record: LeaseRecord; etag: string } {
  const record: LeaseRecord = {
    epoch: 7n as Epoch,
    state: 'held',
    inFlight: false,
    owner: 'other host',
    holder: 'h',
    place: 'there',
    renewal: 3,
    ttlMs: 30_000,
    since: '2030-01-01T00:00:00.000Z',
    expires: '2030-01-01T00:00:30.000Z',
    ...more,
  }
  return { record, etag: 'e1' }
}

describe('E2, E3: who may take the lease', () => {
  it.each([
    ['no lease', undefined, undefined, { kind: 'take', epoch: 1n, formerMayWrite: false }],
    [
      'a released one',
      found({ state: 'released' }),
      undefined,
      { kind: 'take', epoch: 8n, formerMayWrite: false },
    ],
    [
      'a released one whose last file may still arrive',
      found({ state: 'released', inFlight: true }),
      undefined,
      { kind: 'take', epoch: 8n, formerMayWrite: true },
    ],
    [
      'one that this place left',
      found({ place: 'here' }),
      undefined,
      { kind: 'take', epoch: 8n, formerMayWrite: false },
    ],
    ["another's, just seen", found(), undefined, { kind: 'watch', leftMs: 30_000 }],
    [
      "another's, watched for a while",
      found(),
      { etag: 'e1', unchangedMs: 29_999 },
      { kind: 'watch', leftMs: 1 },
    ],
    [
      "another's, silent for its time",
      found(),
      { etag: 'e1', unchangedMs: 30_000 },
      { kind: 'take', epoch: 8n, formerMayWrite: true },
    ],
    [
      'another version than was watched',
      found(),
      { etag: 'e0', unchangedMs: 90_000 },
      { kind: 'watch', leftMs: 30_000 },
    ],
    [
      'one with a time of its own',
      found({ ttlMs: 500 }),
      { etag: 'e1', unchangedMs: 500 },
      { kind: 'take', epoch: 8n, formerMayWrite: true },
    ],
    [
      'one that says it has expired long ago',
      found({ expires: '1999-01-01T00:00:00.000Z' }),
      undefined,
      { kind: 'watch', leftMs: 30_000 },
    ],
  ])('%s', (_, record, watched, expected) => {
    expect(planLease(record, 'here', watched)).toEqual(expected)
  })
})

it.each([
  [0, 'fresh'],
  [9_999, 'fresh'],
  [10_000, 'due'],
  [24_999, 'due'],
  [25_000, 'stale'],
  [1e9, 'stale'],
])('E4: a lease of 30 s renewed %i ms ago is %s', (ageMs, expected) => {
  expect(planHold(ageMs, 30_000)).toBe(expected)
})
