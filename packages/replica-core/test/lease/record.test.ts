import { toTXID } from '@sqlstream/ltx'
import type { Epoch } from '@sqlstream/replica'
import { expect, it } from 'vitest'
import { decodeLease, encodeLease, type LeaseRecord } from '../../src/lease/record.ts'

const RECORD: LeaseRecord = {
  epoch: 9_007_199_254_740_993n as Epoch,
  state: 'held',
  inFlight: true,
  base: toTXID(255n),
  owner: 'host pid 1',
  holder: 'a',
  place: 'b',
  renewal: 0,
  ttlMs: 30_000,
  since: '2030-01-01T00:00:00.000Z',
  expires: '2030-01-01T00:00:30.000Z',
}

function bytesOf(change: Record<string, unknown>): Uint8Array {
  const json = JSON.parse(new TextDecoder().decode(encodeLease(RECORD))) as Record<string, unknown>
  return new TextEncoder().encode(JSON.stringify({ ...json, ...change }))
}

it('survives, epochs above 2^53 too, and leaves fields of later versions alone', () => {
  expect(decodeLease(encodeLease(RECORD))).toEqual(RECORD)
  expect(decodeLease(bytesOf({ region: 'x' }))).toEqual(RECORD)
  const { base: _, ...without } = RECORD
  expect(decodeLease(encodeLease(without))).toEqual(without)
})

it.each([
  { version: 2 },
  { epoch: '0' },
  { epoch: 7 },
  { epoch: '-1' },
  { epoch: '99999999999999999999' },
  { state: 'lost' },
  { inFlight: 1 },
  { base: 'ff' },
  { base: 255 },
  { renewal: -1 },
  { renewal: 0.5 },
  { ttlMs: 0 },
  { ttlMs: '30000' },
  { owner: undefined },
  { holder: 5 },
  { place: null },
  { since: undefined },
  { expires: undefined },
])('E1: %j is corrupt, never no lease', (change) => {
  expect(() => decodeLease(bytesOf(change))).toThrow(
    expect.objectContaining({ code: 'corrupt', hint: expect.stringContaining('lease steal') }),
  )
})

it.each(['', 'null', '[]', '{', '<Error/>'])('E1: %j is corrupt', (text) => {
  expect(() => decodeLease(new TextEncoder().encode(text))).toThrow(
    expect.objectContaining({ code: 'corrupt' }),
  )
})
