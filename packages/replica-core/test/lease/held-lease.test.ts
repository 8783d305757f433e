import type { TXID } from '@sqlstream/ltx'
import { isReplicaError } from '@sqlstream/replica'
import { type Fault, MemoryStore, withFaults, withObserver } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { acquireLease } from '../../src/lease/acquire-lease.ts'
import type { HeldLease } from '../../src/lease/held-lease.ts'
import { releaseLease, showLease, stealLease } from '../../src/lease/operate-lease.ts'
import { FakeClock, settle } from './fake-clock.ts'

const TTL = 30_000

/** A store that counts its requests and can be made to fail, and who use it, each with clocks of its own. */
class Place {
  readonly #faulty = withFaults(new MemoryStore(), [])
  readonly requests: string[] = []
  readonly store = withObserver(this.#faulty, ({ operation }) => {
    this.requests.push(operation)
  })

  fail(...plan: Fault[]): void {
    this.#faulty.setPlan(plan)
  }

  acquire(place: string, clock = new FakeClock(), options: Partial<Parameters<typeof acquireLease>[1]> = {}) {
    return acquireLease(this.store, { place, owner: place, clock, ttlMs: TTL, ...options })
  }
}

const idle = async (): Promise<void> => {}

function expectFenced(work: Promise<unknown>, message: RegExp): Promise<void> {
  return expect(work).rejects.toThrow(
    expect.objectContaining({ code: 'fenced', message: expect.stringMatching(message) }),
  )
}

describe('E5: renewal', () => {
  it('a lease that is used costs a request each third of its time, one that is not costs none', async () => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    place.requests.length = 0
    for (let second = 0; second < 60; second++) {
      await lease.during(idle)
      await clock.pass(1000)
    }
    expect(place.requests).toEqual(['put', 'put', 'put', 'put', 'put'])
    await clock.pass(24 * 3_600_000)
    expect(clock.sleeping).toBe(0)
    expect(place.requests).toHaveLength(5)
  })

  it('after a rest the next work begins with a renewal, and its failure is one that may pass', async () => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    await clock.pass(10 * TTL)
    place.fail({ operation: 'put', fault: 'fail' })
    let worked = 0
    const work = async (): Promise<void> => {
      worked++
    }
    await expect(lease.during(work)).rejects.toMatchObject({ code: 'unavailable', transient: true })
    expect(worked).toBe(0)
    place.fail()
    await lease.during(work)
    expect(worked).toBe(1)
    expect(lease.signal.aborted).toBe(false)
  })

  it('long work is kept under a fresh lease', async () => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    const gate = Promise.withResolvers<void>()
    const work = lease.during(async (signal) => {
      await gate.promise
      signal.throwIfAborted()
    })
    await clock.pass(20 * TTL)
    const other = place.acquire('b', new FakeClock(), { wait: 'no' })
    await expect(other).rejects.toMatchObject({ code: 'lease-held' })
    gate.resolve()
    await work
  })

  it('what is written of it at the same time goes one after the other, whoever asks', async () => {
    const place = new Place()
    const lease = await place.acquire('a')
    // Answers come in any order.
    let answer = 0
    const wait = async (): Promise<void> => {
      for (let turns = (answer++ * 7) % 20; turns > 0; turns--) await Promise.resolve()
    }
    place.fail(
      { operation: 'put', fault: 'delay', wait, when: 'after' },
      { operation: 'put', fault: 'delay', wait },
    )
    for (let txid = 1n; txid < 20n; txid++) {
      await Promise.all([
        lease.announceBase(txid as TXID),
        lease.renew(),
        lease.during(idle),
        lease.raiseAbove(txid),
        lease.announceBase((txid + 100n) as TXID),
        lease.renew(),
      ])
      expect(lease.signal.aborted).toBe(false)
      expect(await showLease(place.store)).toEqual(lease.record)
      expect(lease.record).toMatchObject({ base: txid + 100n, epoch: txid + 1n })
    }
    await Promise.all([lease.renew(), lease.release()])
    expect(await showLease(place.store)).toMatchObject({ state: 'released' })
  })

  it('giving it back does nothing where the renewal before finds it lost', async () => {
    const place = new Place()
    const lease = await place.acquire('a')
    const stolen = await stealLease(place.store)
    await Promise.all([expectFenced(lease.renew(), /released as epoch 2/), lease.release()])
    expect(await showLease(place.store)).toEqual(stolen)
  })

  it('a store that refuses the version that is there has failed; nobody has taken the lease', async () => {
    const place = new Place()
    const lease = await place.acquire('a')
    const held = await showLease(place.store)
    place.fail({ operation: 'put', fault: 'fail', error: 'precondition-failed' })
    await expect(lease.renew()).rejects.toMatchObject({ code: 'unavailable', transient: true })
    expect(lease.signal.aborted).toBe(false)
    expect(await showLease(place.store)).toEqual(held)
    place.fail()
    await lease.renew()
    expect(lease.signal.aborted).toBe(false)
  })

  it('work ends in time when the lease cannot be renewed, and says why', async () => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    place.fail({ operation: 'put', fault: 'fail' }, { operation: 'get', fault: 'fail' })
    const work = lease.during(
      (signal) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('socket closed')))
        }),
    )
    const ended = expect(work).rejects.toMatchObject({
      name: 'StorageError',
      code: 'timeout',
      transient: true,
    })
    await clock.pass(TTL)
    await ended
    expect(lease.signal.aborted).toBe(false)
  })

  it.each([
    ['the answer is lost', [{ operation: 'put', at: 1, fault: 'applied-but-failed' }]],
    ['all answers are lost', [{ operation: 'put', at: [1, 2], fault: 'applied-but-failed' }]],
    [
      'all answers are lost and nothing can be read',
      [
        { operation: 'put', at: [1, 2], fault: 'applied-but-failed' },
        { operation: 'get', at: 1, fault: 'fail' },
      ],
    ],
  ] satisfies [string, Fault[]][])('our own renewal is no other writer: %s', async (_, plan) => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    await clock.pass(TTL)
    place.fail(...plan)
    await lease.during(idle).catch((error: unknown) => expect(error).toMatchObject({ transient: true }))
    await clock.pass(TTL)
    await lease.during(idle)
    expect(lease.signal.aborted).toBe(false)
  })

  it.each([1, 2, 3, 4, 5, 6])(
    'whatever fails at request %i, it is acquired or not, and nobody is fenced',
    async (at) => {
      const faults: Fault[] = [
        { operation: 'put', at, fault: 'applied-but-failed' },
        { operation: 'put', at, fault: 'fail' },
        { operation: 'get', at, fault: 'fail' },
        { operation: 'get', at, fault: 'truncate', bytes: 5 },
      ]
      for (const fault of faults) {
        const place = new Place()
        const clock = new FakeClock()
        place.fail(fault)
        let lease: HeldLease | undefined
        for (let n = 0; n < 5 && lease === undefined; n++)
          lease = await place.acquire('a', clock).catch(() => undefined)
        for (let n = 0; n < 5; n++) {
          await clock.pass(TTL)
          await lease!.during(idle).catch((error: unknown) => expect(isReplicaError(error)).toBe(false))
        }
        await lease!.during(idle)
      }
    },
  )
})

describe('E6: time', () => {
  it('T32: a process that was paused beyond its time finds out before it writes', async () => {
    const place = new Place()
    const [clock, otherClock] = [new FakeClock(), new FakeClock()]
    const lease = await place.acquire('a', clock)
    const taking = place.acquire('b', otherClock)
    await otherClock.pass(TTL)
    const other = await taking
    expect(other).toMatchObject({ epoch: 2n, formerMayWrite: true })
    clock.pause(TTL + 1)
    let wrote = false
    await expectFenced(
      lease.during(async () => {
        wrote = true
      }),
      /^b has taken over with epoch 2$/,
    )
    expect(wrote).toBe(false)
    expect(lease.signal.aborted).toBe(true)
    await other.during(idle)
  })

  it('T32: what was written across a pause counts only if nobody took over meanwhile', async () => {
    const place = new Place()
    const [clock, otherClock] = [new FakeClock(), new FakeClock()]
    const lease = await place.acquire('a', clock)
    await lease.during(async () => clock.pause(2 * TTL))
    const work = lease.during(async () => {
      const taking = place.acquire('b', otherClock)
      await otherClock.pass(TTL)
      await taking
      clock.pause(TTL)
    })
    await expectFenced(work, /b has taken over/)
  })

  it('T32: a machine that slept counts the time by its wall clock', async () => {
    const place = new Place()
    const [clock, otherClock] = [new FakeClock(), new FakeClock()]
    const lease = await place.acquire('a', clock)
    clock.suspend(2 * TTL)
    const taking = place.acquire('b', otherClock)
    await otherClock.pass(TTL)
    await taking
    await expectFenced(lease.during(idle), /b has taken over/)
  })

  it.each([-3_600_000, -600_000, 600_000, 3_600_000])(
    'T32: clocks that are %i ms apart change nothing',
    async (skewMs) => {
      const place = new Place()
      const [clock, otherClock] = [new FakeClock(), new FakeClock(skewMs)]
      const lease = await place.acquire('a', clock)
      const taking = place.acquire('b', otherClock)
      taking.catch(() => undefined)
      await otherClock.pass(TTL - 1)
      await lease.during(idle)
      clock.jump(skewMs)
      await lease.during(idle)
      expect(lease.signal.aborted).toBe(false)
      await otherClock.pass(TTL)
      expect(
        await taking.then(
          () => 'taken',
          (error: { code?: string }) => error.code,
        ),
      ).toBe(
        // A clock put ahead makes the holder renew, and so show life.
        skewMs > 0 ? 'lease-held' : 'taken',
      )
    },
  )
})

describe('E3: waiting', () => {
  it('whoever shows life keeps it, and the refusal says who and until when', async () => {
    const place = new Place()
    const [clock, otherClock] = [new FakeClock(), new FakeClock()]
    const lease = await place.acquire('a', clock)
    const taking = expect(place.acquire('b', otherClock)).rejects.toMatchObject({
      code: 'lease-held',
      message: expect.stringMatching(/held by a until 2030-01-01T00:01:..\.000Z/),
      hint: expect.stringContaining('--wait'),
    })
    await otherClock.pass(TTL / 2)
    await clock.pass(TTL)
    await lease.during(idle)
    await otherClock.pass(TTL / 2)
    await taking
  })

  it('without waiting it is refused at once', async () => {
    const place = new Place()
    await place.acquire('a')
    await expect(place.acquire('b', new FakeClock(), { wait: 'no' })).rejects.toMatchObject({
      code: 'lease-held',
    })
  })

  it('whoever waits for ever is told of each holder and gets it once it is released', async () => {
    const place = new Place()
    const [clock, otherClock] = [new FakeClock(), new FakeClock()]
    const lease = await place.acquire('a', clock)
    const told: number[] = []
    const taking = place.acquire('b', otherClock, {
      wait: 'forever',
      onWait: ({ renewal }) => told.push(renewal),
    })
    for (let n = 0; n < 4; n++) {
      await clock.pass(TTL / 2)
      await lease.during(idle)
      await otherClock.pass(TTL / 2)
    }
    await lease.release()
    await otherClock.pass(TTL / 10)
    expect(await taking).toMatchObject({ epoch: 2n, formerMayWrite: false })
    expect(told.length).toBeGreaterThan(1)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
  })

  it('the same place needs no wait: its former writer is dead, the local lock says so', async () => {
    const place = new Place()
    await place.acquire('a')
    expect(await place.acquire('a')).toMatchObject({ epoch: 2n, formerMayWrite: false })
  })

  it('an abort ends the wait', async () => {
    const place = new Place()
    await place.acquire('a')
    const aborter = new AbortController()
    const clock = new FakeClock()
    const taking = place.acquire('b', clock, { signal: aborter.signal })
    const ended = expect(taking).rejects.toBe('enough')
    await clock.pass(TTL / 2)
    aborter.abort('enough')
    await ended
    expect(clock.sleeping).toBe(0)
  })

  it('of many who take it at once exactly one gets it', async () => {
    const place = new Place()
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => place.acquire(`p${i}`, new FakeClock(), { wait: 'no' })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

describe('E1: epochs', () => {
  it('grow with every holder, across releases and thefts', async () => {
    const place = new Place()
    const epochs: bigint[] = []
    for (const who of ['a', 'b', 'a']) {
      const lease = await place.acquire(who)
      epochs.push(lease.epoch)
      await lease.release()
    }
    await place.acquire('a')
    epochs.push((await stealLease(place.store)).epoch)
    epochs.push((await place.acquire('b')).epoch)
    expect(epochs).toEqual([1n, 2n, 3n, 5n, 6n])
  })

  it('are above those of the files, also when the lease object was lost', async () => {
    const place = new Place()
    const lease = await place.acquire('a')
    await lease.raiseAbove(40n)
    expect(lease.epoch).toBe(41n)
    await lease.raiseAbove(40n)
    expect((await showLease(place.store))?.epoch).toBe(41n)
    await lease.during(idle)
  })

  it('a lease that was released is of no use any more', async () => {
    const place = new Place()
    const lease = await place.acquire('a')
    await lease.release()
    await expectFenced(lease.during(idle), /released/)
    await lease.release()
  })

  it('a lease object that was deleted ends the lease: another may have counted anew', async () => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    await place.store.delete(['.sqlstream/lease.json'])
    await clock.pass(TTL)
    await expectFenced(lease.during(idle), /deleted/)
  })
})

describe('E7: what an operator can do', () => {
  it('stealing fences the holder and leaves the lease free', async () => {
    const place = new Place()
    const clock = new FakeClock()
    const lease = await place.acquire('a', clock)
    await stealLease(place.store)
    await clock.pass(TTL)
    await expectFenced(lease.during(idle), /released as epoch 2 by sqlstream lease/)
    expect(await place.acquire('b')).toMatchObject({ epoch: 3n })
  })

  it('stealing replaces what cannot be read, with an epoch above any count', async () => {
    const place = new Place()
    await place.store.put('.sqlstream/lease.json', new TextEncoder().encode('{'))
    await expect(place.acquire('a')).rejects.toMatchObject({ code: 'corrupt' })
    expect((await stealLease(place.store)).epoch).toBeGreaterThan(1_000_000_000_000n)
    await place.acquire('a')
  })

  it('releasing waits for the silence of the holder, and leaves one that lives alone', async () => {
    const place = new Place()
    const [clock, otherClock] = [new FakeClock(), new FakeClock()]
    expect(await releaseLease(place.store)).toBeUndefined()
    const lease = await place.acquire('a', clock)
    const refused = expect(releaseLease(place.store, { clock: otherClock })).rejects.toMatchObject({
      code: 'lease-held',
    })
    await clock.pass(TTL / 2)
    await lease.during(idle)
    await settle()
    await otherClock.pass(TTL)
    await refused
    const releasing = releaseLease(place.store, { clock: otherClock })
    await otherClock.pass(TTL)
    expect(await releasing).toMatchObject({ state: 'released', epoch: 2n })
    expect(await releaseLease(place.store)).toMatchObject({ state: 'released', epoch: 2n })
  })
})
