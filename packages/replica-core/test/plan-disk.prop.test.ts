import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DiskLimits, type DiskUse, planDisk, reserveOf } from '../src/plan-disk.ts'

const MB = 2 ** 20
const GB = 2 ** 30

interface Named extends DiskUse {
  readonly name: string
}
const use = (name: string, spool: number, incoming = 0, wal = 0, isFailing = false): Named => ({
  name,
  spoolBytes: spool * MB,
  walBytes: wal * MB,
  incomingBytes: incoming * MB,
  isFailing,
})
function plan(free: number, total: number, users: readonly Named[], limits: DiskLimits = {}): string {
  const made = planDisk({ freeBytes: free * MB, totalBytes: total * MB }, users, limits)
  return made === undefined ? 'keep' : `${made.reason}: ${made.giveUp.map(({ name }) => name).join(' ')}`
}

describe('the plan for a disk', () => {
  it('D1: the reserve is a twentieth of the disk, 256 MiB at most, or what was asked for', () => {
    const of = (totalBytes: number, limits = {}): number =>
      reserveOf({ freeBytes: 0, totalBytes }, limits) / MB
    expect([of(64 * MB), of(GB), of(100 * GB), of(GB, { reserveBytes: 0 })]).toEqual(
      [3.2, 51.2, 256, 0].map((n) => Math.floor(n * MB) / MB),
    )
  })

  it.each([
    // free, total, users, limits, what comes of it
    [500, 1000, [use('a', 1)], {}, 'keep'],
    [500, 1000, [use('a', 200)], {}, 'keep'],
    // Half of what it could take: 300 + 400 are there, 50 of them reserved.
    [400, 1000, [use('a', 300)], {}, 'keep'],
    [300, 1000, [use('a', 400)], {}, 'bound: a'],
    [300, 1000, [use('a', 10), use('b', 390), use('c', 5)], {}, 'bound: b'],
    // A bound that was asked for.
    [900, 1000, [use('a', 60), use('b', 50)], { maxSpoolBytes: 100 * MB }, 'bound: a'],
    [900, 1000, [use('a', 60), use('b', 30)], { maxSpoolBytes: 100 * MB }, 'keep'],
    [900, 1000, [use('a', 0, 120), use('b', 30)], { maxSpoolBytes: 100 * MB }, 'bound: a'],
    [900, 1000, [use('a', 1)], { maxSpoolBytes: 0 }, 'bound: a'],
    // Nearly full.
    [40, 1000, [use('a', 20), use('b', 6)], {}, 'reserve: a b'],
    [45, 1000, [use('a', 20), use('b', 6)], {}, 'reserve: a'],
    // Little stays, unless captures fail.
    [10, 1000, [use('a', 2), use('b', 1)], {}, 'keep'],
    [0, 1000, [use('a', 0, 0)], {}, 'keep'],
    [0, 1000, [use('a', 2, 0, 0, true)], {}, 'reserve: a'],
    // Captures fail, but not because the disk is full: a quota, no inodes.
    [900, 1000, [use('a', 2, 0, 0, true)], {}, 'keep'],
    // A WAL that is kept counts towards the reserve, and not towards the bound.
    [40, 1000, [use('a', 0, 0, 30)], {}, 'reserve: a'],
    [40, 1000, [use('a', 0, 0, 3)], {}, 'keep'],
    [0, 1000, [use('a', 0, 0, 3, true)], {}, 'reserve: a'],
    [500, 1000, [use('a', 1, 0, 600)], {}, 'keep'],
    [500, 1000, [use('a', 1, 0, 600)], { maxSpoolBytes: 10 * MB }, 'keep'],
    // What is coming would fill the disk.
    [500, 1000, [use('a', 1, 480)], {}, 'reserve: a'],
    [60, 1000, [use('a', 1, 20)], { reserveBytes: 50 * MB }, 'reserve: a'],
  ] as const)('D1: with %i of %i MiB free, %j and %j: %s', (free, total, users, limits, expected) => {
    expect(plan(free, total, users, limits)).toBe(expected)
  })

  const size = fc.integer({ min: 0, max: 4 * GB })
  const users = fc.array(
    fc.record({ spoolBytes: size, walBytes: size, incomingBytes: size, isFailing: fc.boolean() }),
    {
      maxLength: 8,
    },
  )

  it('D1: after it, nothing more is to be given up, or nothing is left; those with more go before those with less', () => {
    fc.assert(
      fc.property(users, size, size, fc.option(size), fc.option(size), (all, free, used, bound, reserve) => {
        const limits = {
          ...(bound !== null && { maxSpoolBytes: bound }),
          ...(reserve !== null && { reserveBytes: reserve }),
        }
        const space = { freeBytes: free, totalBytes: free + used }
        const made = planDisk(space, all, limits)
        if (made === undefined) return
        const gone = new Set<DiskUse>(made.giveUp)
        expect(gone.size).toBe(made.giveUp.length)
        expect(made.giveUp.length).toBeGreaterThan(0)
        const left = all.filter((each) => !gone.has(each))
        const weight = (each: DiskUse): number =>
          each.spoolBytes + each.incomingBytes + (made.reason === 'bound' ? 0 : each.walBytes)
        const least = Math.min(...made.giveUp.map((each) => weight(each)))
        for (const each of left) expect(weight(each)).toBeLessThanOrEqual(least)
        expect(least).toBeGreaterThan(0)
        const freed = made.giveUp.reduce((sum, use) => sum + use.spoolBytes + use.walBytes, 0)
        const after = { ...space, freeBytes: free + freed }
        const again = planDisk(after, left, limits)
        // A default bound is lower where less is left; it never goes round in circles.
        if (again !== undefined) expect(again.giveUp.length).toBeLessThanOrEqual(left.length)
      }),
    )
  })

  it('D1: more room never makes it give up more', () => {
    fc.assert(
      fc.property(users, size, size, size, (all, free, used, more) => {
        const total = free + used + more
        const tight = planDisk({ freeBytes: free, totalBytes: total }, all, {})
        const roomy = planDisk({ freeBytes: free + more, totalBytes: total }, all, {})
        if (tight === undefined) expect(roomy).toBeUndefined()
      }),
    )
  })
})
