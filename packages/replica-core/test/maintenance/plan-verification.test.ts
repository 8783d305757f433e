import { toTXID } from '@sqlstream/ltx'
import { describe, expect, it } from 'vitest'
import {
  allowanceFor,
  checkVerification,
  type Spent,
  type VerificationState,
  verificationDue,
} from '../../src/maintenance/plan-verification.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = 1000 * DAY
const POLICY = { everyMs: DAY, bytesPerDay: 100 }
const FIVE = toTXID(5n)
const SIX = toTXID(6n)

type DueRow = readonly [what: string, state: Partial<VerificationState>, due: number | undefined]

const DUE: readonly DueRow[] = [
  ['an empty replica', { head: undefined }, undefined],
  ['never proven: at the start', {}, NOW - HOUR],
  ['never proven, with jitter: within a 24th of the time between two', { jitter: 0.5 }, NOW - HOUR / 2],
  ['nothing new since the proof', { proven: { txid: SIX, at: NOW - 9 * DAY } }, undefined],
  ['something new since the proof', { proven: { txid: FIVE, at: NOW - HOUR } }, NOW + 23 * HOUR],
  ['something new, long after the proof', { proven: { txid: FIVE, at: NOW - 9 * DAY } }, NOW - 8 * DAY],
  ['the record of another history, ahead of this one', { proven: { txid: toTXID(99n), at: NOW } }, NOW + DAY],
  ['proven by a clock that is ahead', { proven: { txid: FIVE, at: NOW + 900 * DAY } }, NOW + DAY],
  ['damage was found: not again at once', { triedAt: NOW - HOUR }, NOW + 23 * HOUR],
  [
    'tried after the proof: counted from the attempt',
    { proven: { txid: FIVE, at: NOW - 2 * DAY }, triedAt: NOW - HOUR, jitter: 1 },
    NOW + 24 * HOUR,
  ],
]

describe('M6: when a proof is due', () => {
  it.each(DUE)('%s', (_, state, due) => {
    const all = { head: SIX, proven: undefined, triedAt: undefined, beganAt: NOW - HOUR, jitter: 0, ...state }
    expect(verificationDue(all, POLICY, NOW)).toBe(due)
  })
})

type BudgetRow = readonly [what: string, needed: number, spent: readonly Spent[], expected: unknown]

const BUDGET: readonly BudgetRow[] = [
  ['all of the budget', 100, [], { fits: true, left: 100 }],
  ['one byte more than the budget: never', 101, [], { fits: false, left: 100 }],
  [
    'what was read 24 hours ago counts no more',
    100,
    [{ at: NOW - DAY, bytes: 90 }],
    { fits: true, left: 100 },
  ],
  [
    'what was read a millisecond later still counts',
    100,
    [{ at: NOW - DAY + 1, bytes: 90 }],
    { fits: false, left: 10, fitsAt: NOW + 1 },
  ],
  ['nothing needed always fits', 0, [{ at: NOW, bytes: 100 }], { fits: true, left: 0 }],
  [
    'as soon as enough of it is old, whatever the order',
    60,
    [
      { at: NOW - HOUR, bytes: 30 },
      { at: NOW - 3 * HOUR, bytes: 30 },
      { at: NOW - 2 * HOUR, bytes: 30 },
    ],
    { fits: false, left: 10, fitsAt: NOW + 22 * HOUR },
  ],
  [
    'damage had cost more than was left',
    50,
    [{ at: NOW - HOUR, bytes: 180 }],
    { fits: false, left: 0, fitsAt: NOW + 23 * HOUR },
  ],
]

describe('M6: what fits the budget', () => {
  it.each(BUDGET)('%s', (_, needed, spent, expected) => {
    expect(allowanceFor(needed, spent, POLICY, NOW)).toEqual(expected)
  })

  it('numbers that make no sense are refused', () => {
    for (const wrong of [0, -1, Number.NaN]) {
      expect(() => checkVerification({ ...POLICY, everyMs: wrong })).toThrow(RangeError)
      expect(() => checkVerification({ ...POLICY, bytesPerDay: wrong })).toThrow(/bytesPerDay/)
    }
    expect(checkVerification(POLICY)).toBe(POLICY)
  })
})
