import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DiskBudget, type DiskUser } from '../../src/budget/disk-budget.ts'
import type { DiskUse } from '../../src/plan-disk.ts'

const MB = 2 ** 20
const NOTHING: DiskUse = { spoolBytes: 0, walBytes: 0, incomingBytes: 0 }

/** Databases whose state is on disk 1 and which are on disk 2, of 1000 MiB each with so much free. */
function scene(free: readonly [state: number, database: number]) {
  const budget = new DiskBudget({}, (folder) => {
    const device = folder.startsWith('/state') ? 1 : 2
    return { device, freeBytes: free[device - 1]! * MB, totalBytes: 1000 * MB }
  })
  const given: string[] = []
  const add = (
    name: string,
    use: () => DiskUse,
    folders = { state: '/state', database: '/data' },
  ): DiskUser => {
    const user: DiskUser = {
      folders,
      use,
      giveUp: async (reason) => {
        given.push(`${name}: ${reason}`)
        if (name === 'bad') throw new Error('it cannot')
      },
    }
    budget.join(user)
    return user
  }
  return { budget, given, add }
}

it('D1: captures count on the disk of the local state, a WAL on that of its database', async () => {
  const full = scene([10, 900])
  const user = full.add('a', () => ({ ...NOTHING, walBytes: 50 * MB }))
  full.add('b', () => ({ ...NOTHING, spoolBytes: 20 * MB }))
  await full.budget.look(user)
  expect(full.given).toEqual(['b: reserve'])
  const other = scene([900, 10])
  const second = other.add('a', () => ({ ...NOTHING, walBytes: 50 * MB }))
  other.add('b', () => ({ ...NOTHING, spoolBytes: 20 * MB }))
  await other.budget.look(second)
  expect(other.given).toEqual(['a: reserve'])
})

it('D1: one that cannot tell, or cannot give up, keeps no other from it; one that left is not asked', async () => {
  const { budget, given, add } = scene([10, 10])
  const user = add('broken', () => {
    throw new Error('no index')
  })
  add('bad', () => ({ ...NOTHING, spoolBytes: 30 * MB }))
  add('good', () => ({ ...NOTHING, spoolBytes: 25 * MB }))
  budget.join({
    folders: { state: '/state', database: '/data' },
    use: () => ({ ...NOTHING, spoolBytes: 99 * MB }),
    giveUp: async () => {
      given.push('left')
    },
  })()
  await budget.look(user)
  expect(given).toEqual(['bad: reserve', 'good: reserve'])
})

it('D1: the disk is looked at four times a second, and before anything large', async () => {
  const { budget, given, add } = scene([10, 10])
  let incomingBytes = 0
  const user = add('a', () => ({ ...NOTHING, spoolBytes: 60 * MB, incomingBytes }))
  await budget.look(user)
  await budget.look(user)
  expect(given).toHaveLength(1)
  incomingBytes = 2 * MB
  await budget.look(user)
  expect(given).toHaveLength(2)
})

describe('how often it looks', () => {
  it.for([
    ['an eighth of the room is taken, on a disk with much room', 130, 1100, 10],
    ['a quarter of a MiB is taken, on a disk with none', 50, 118, 39],
  ] as const)('D1: whenever %s', async ([, freeMB, captures, looks]) => {
    const { budget, add } = scene([freeMB, 1000])
    let looked = 0
    let incomingBytes = 0
    add('other', () => {
      looked++
      return { ...NOTHING, spoolBytes: 1000 }
    })
    const user = add('a', () => ({ ...NOTHING, incomingBytes }))
    await budget.look(user)
    looked = 0
    incomingBytes = 100_000
    // In no time.
    for (let i = 0; i < captures; i++) await budget.look(user)
    expect(looked).toBe(looks)
  })

  beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => vi.useRealTimers())

  /** How many looks there are when one is asked for every 50 ms for six seconds, and each takes so long. */
  async function looksOf(milliseconds: number): Promise<number> {
    const { budget, add } = scene([900, 900])
    let looks = 0
    add('slow', () => {
      looks++
      vi.advanceTimersByTime(milliseconds)
      return NOTHING
    })
    const asking = add('asking', () => NOTHING)
    const end = performance.now() + 6000
    while (performance.now() < end) {
      await budget.look(asking)
      vi.advanceTimersByTime(50)
    }
    return looks
  }

  it.for([
    ['four times a second', 0, 24],
    ['a fiftieth of the time', 20, 6],
    ['every two seconds however long it takes', 200, 3],
  ] as const)('D1: %s', async ([, milliseconds, looks]) => {
    expect(await looksOf(milliseconds)).toBe(looks)
  })
})
