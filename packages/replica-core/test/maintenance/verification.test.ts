import { formatTXID, toTXID } from '@sqlstream/ltx'
import { filesOf, headOf, isReplicaError, Replica, readProof } from '@sqlstream/replica'
import {
  type BlobStore,
  type FaultyStore,
  getBytes,
  MemoryStore,
  type StorageOperation,
  withFaults,
  withObserver,
} from '@sqlstream/storage'
import { afterEach, expect, it, vi } from 'vitest'
import type { PrimaryEvent } from '../../src/index.ts'
import type { VerificationPolicy } from '../../src/maintenance/plan-verification.ts'
import { Verification } from '../../src/maintenance/verification.ts'
import { addRows, Scene } from '../scenarios/support/scene.ts'

const DAY = 86_400_000
const BEGAN = Date.UTC(2026, 0, 1)

afterEach(() => {
  vi.useRealTimers()
})

/** A replica with some captures. */
async function replicaOf(scene: Scene): Promise<void> {
  const primary = await scene.replicate()
  for (let i = 0; i < 4; i++) {
    scene.app.run(addRows(20, 500))
    await primary.durable()
  }
  await primary.close()
}

/** One file more. */
async function commitMore(scene: Scene): Promise<void> {
  vi.useRealTimers()
  const primary = await scene.replicate()
  scene.app.run(addRows(1))
  await primary.durable()
  await primary.close()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
}

/** Verification with a clock that only the test moves, of a replica whose reads are counted. */
class Watch {
  readonly events: PrimaryEvent[] = []
  readonly operations: StorageOperation[] = []
  readonly verification: Verification
  readonly replica: Replica
  readonly faulty: FaultyStore
  now = BEGAN

  constructor(store: BlobStore, policy: VerificationPolicy) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    this.faulty = withFaults(store, [])
    this.replica = new Replica(withObserver(this.faulty, (operation) => this.operations.push(operation)))
    this.verification = new Verification({
      replica: this.replica,
      policy,
      emit: (event) => this.events.push(event),
      now: () => this.now,
      jitter: 0,
    })
  }

  /** Bytes of LTX files that were read. */
  get read(): number {
    return this.operations
      .filter(({ operation, key }) => operation === 'get' && key?.startsWith('ltx/'))
      .reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Some time passes; what it starts runs to its end, which is when its next timer is set or there is nothing to do. */
  async pass(ms: number): Promise<void> {
    this.now += ms
    vi.advanceTimersByTime(ms)
    await this.verification.settled()
  }
}

it('M6: what is new is proven from the store alone, recorded, and not read again until something new comes', async () => {
  const store = new MemoryStore()
  await using scene = await Scene.begin({ store })
  await replicaOf(scene)
  const watch = new Watch(store, { everyMs: DAY, bytesPerDay: 1e9 })
  const catalog = await watch.replica.catalog()
  watch.operations.length = 0
  watch.verification.begin(headOf(catalog))
  await watch.pass(0)
  const head = headOf(catalog)!
  expect(watch.events).toMatchObject([{ type: 'verified', txid: head, bytes: watch.read }])
  expect(watch.read).toBeLessThanOrEqual(filesOf(catalog).reduce((sum, { size }) => sum + size, 0))
  const proof = await readProof(store)
  const { result } = await scene.restore()
  expect(proof).toMatchObject({ ...result.pos, timestamp: result.timestamp, provenAt: new Date(BEGAN) })

  // Nothing new: not a request, not a timer.
  watch.operations.length = 0
  await watch.pass(30 * DAY)
  expect(watch.operations).toEqual([])
  expect(vi.getTimerCount()).toBe(0)

  await commitMore(scene)
  const next = (await watch.replica.catalog()).levels.get(0)!.at(-1)!
  watch.operations.length = 0
  watch.verification.uploaded(next)
  await watch.pass(0)
  expect(watch.events.at(-1)).toMatchObject({ type: 'verified', txid: next.maxTXID })

  // Something new right after a proof waits for its time.
  await commitMore(scene)
  watch.verification.uploaded((await watch.replica.catalog()).levels.get(0)!.at(-1)!)
  watch.operations.length = 0
  await watch.pass(DAY - 1)
  expect(watch.operations).toEqual([])
  await watch.pass(1)
  expect(watch.events).toHaveLength(3)

  // Another start reads the record, and nothing else.
  await watch.verification.stop()
  const again = new Watch(store, { everyMs: DAY, bytesPerDay: 1e9 })
  again.now = watch.now
  again.verification.begin(headOf(await scene.replica.catalog()))
  await again.pass(10 * DAY)
  expect(again.operations.map(({ key }) => key)).toEqual(['.sqlstream/proof.json'])
  await again.verification.stop()
})

it('M6: never more bytes than the budget: what does not fit is told, and proven when it fits', async () => {
  const store = new MemoryStore()
  await using scene = await Scene.begin({ store })
  await replicaOf(scene)
  const needed = filesOf(await scene.replica.catalog()).reduce((sum, { size }) => sum + size, 0)
  const poor = new Watch(store, { everyMs: DAY, bytesPerDay: needed - 1 })
  poor.verification.begin(headOf(await scene.replica.catalog()))
  for (let day = 0; day < 3; day++) await poor.pass(day === 0 ? 0 : DAY)
  expect(poor.events).toHaveLength(3)
  expect(poor.events[1]).toEqual({
    type: 'verification-skipped',
    txid: headOf(await scene.replica.catalog()),
    needed,
    left: needed - 1,
    bytesPerDay: needed - 1,
    nextAt: new Date(BEGAN + 2 * DAY),
  })
  expect(poor.read).toBe(0)
  await poor.verification.stop()

  // Four times a day, and enough for one of them.
  const watch = new Watch(store, { everyMs: DAY / 4, bytesPerDay: needed * 1.5 })
  watch.verification.begin(headOf(await scene.replica.catalog()))
  await watch.pass(0)
  const first = watch.read
  await commitMore(scene)
  watch.verification.uploaded((await watch.replica.catalog()).levels.get(0)!.at(-1)!)
  await watch.pass(DAY / 4)
  expect(watch.events.map(({ type }) => type)).toEqual(['verified', 'verification-skipped'])
  expect(watch.events[1]).toMatchObject({ nextAt: new Date(BEGAN + DAY) })
  expect(watch.read).toBe(first)
  await watch.pass(DAY / 2)
  expect(watch.events).toHaveLength(2)
  await watch.pass(DAY / 4)
  expect(watch.events.map(({ type }) => type)).toEqual(['verified', 'verification-skipped', 'verified'])
  await watch.verification.stop()
})

it('M6: a damaged object is named, the record of the last proof stays, and it is told again when its time has come', async () => {
  const store = new MemoryStore()
  await using scene = await Scene.begin({ store })
  await replicaOf(scene)
  const files = (await scene.replica.catalog()).levels.get(0)!
  for (const file of files.slice(1)) {
    const whole = await getBytes(store, file.key)
    const damaged = whole.slice()
    damaged[Math.floor(whole.byteLength / 2)]! ^= 0x10
    await store.put(file.key, damaged)
    const watch = new Watch(store, { everyMs: DAY, bytesPerDay: 1e9 })
    watch.verification.begin(headOf(await scene.replica.catalog()))
    for (const _ of [1, 2]) {
      await watch.pass(_ === 1 ? 0 : DAY)
      const failed = watch.events.at(-1)
      if (failed?.type !== 'failed' || !isReplicaError(failed.error, 'corrupt')) throw new Error('no failure')
      expect(failed.operation).toBe('verification')
      expect(failed.error.file?.key).toBe(file.key)
      expect(failed.error.message).toContain(file.key)
    }
    expect(watch.events).toHaveLength(2)
    expect(await readProof(store)).toBeUndefined()
    await watch.verification.stop()
    await store.put(file.key, whole)
  }
})

it('M6: a missing file is a verdict, a store that fails is none: that is repeated with growing pauses', async () => {
  const store = new MemoryStore()
  await using scene = await Scene.begin({ store })
  await replicaOf(scene)
  const watch = new Watch(store, { everyMs: DAY, bytesPerDay: 1e9 })
  watch.faulty.setPlan([{ operation: 'list', fault: 'fail' }])
  watch.verification.begin(headOf(await scene.replica.catalog()))
  await watch.pass(0)
  await watch.pass(5_000)
  await watch.pass(10_000)
  const retries = watch.events.map((event) => event.type === 'failed' && event.retryInMs)
  expect(retries).toEqual([5_000, 10_000, 20_000])
  // What cannot be written down is proven all the same, and read once.
  watch.faulty.setPlan([{ operation: 'put', key: /proof/, fault: 'fail' }])
  await watch.pass(20_000)
  expect(watch.events.slice(3)).toMatchObject([
    { type: 'verified' },
    { type: 'failed', operation: 'verification' },
  ])
  expect(watch.events.at(-1)).not.toHaveProperty('retryInMs')
  watch.faulty.setPlan([])
  await watch.pass(30 * DAY)
  expect(watch.events).toHaveLength(5)
  await watch.verification.stop()

  const lost = (await scene.replica.catalog()).levels.get(0)![1]!
  await store.delete([lost.key])
  const other = new Watch(store, { everyMs: DAY, bytesPerDay: 1e9 })
  other.verification.begin(headOf(await scene.replica.catalog()))
  await other.pass(0)
  const [event] = other.events
  if (event?.type !== 'failed') throw new Error('no failure')
  expect(event.error).toMatchObject({ code: 'gap' })
  expect(event.error.message).toContain(formatTXID(toTXID(lost.minTXID)))
  expect(event.retryInMs).toBeUndefined()
  await other.verification.stop()
})

it('M6: inside a primary: a damaged replica is told and uploading goes on; close ends a proof at once', async () => {
  // From when verification looks for its record: what starts before it reads files too.
  let armed = false
  let stall = false
  let stalled = (): void => undefined
  const inside = new Promise<void>((resolve) => {
    stalled = resolve
  })
  const store = new MemoryStore()
  await using scene = await Scene.begin({
    store,
    sql: 'CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE kept(v); INSERT INTO kept VALUES(randomblob(50000))',
    wrap: (inner) => ({
      driver: inner.driver,
      capabilities: inner.capabilities,
      list: (options) => inner.list(options),
      head: (key, options) => inner.head(key, options),
      put: (key, body, options) => inner.put(key, body, options),
      delete: (keys, options) => inner.delete(keys, options),
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      get: async (key, options) => {
        if (armed && key === '.sqlstream/proof.json') stall = true
        if (stall && key.startsWith('ltx/')) {
          stalled()
          await new Promise((_, reject) => {
            const { signal } = options ?? {}
            signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
          })
        }
        return await inner.get(key, options)
      },
    }),
  })
  const verification = { everyMs: 20, bytesPerDay: 1e9 }
  const maintenance = { compaction: 'never', retention: 'never', verification } as const
  const first = await scene.replicate({ maintenance })
  await first.durable()
  await scene.event(({ type }) => type === 'verified')
  await first.close()
  const files = (await scene.replica.catalog()).levels.get(9)!
  const whole = await getBytes(store, files[0]!.key)
  const damaged = whole.slice()
  damaged[Math.floor(whole.byteLength / 2)]! ^= 1
  await store.put(files[0]!.key, damaged)
  const second = await scene.replicate({ maintenance })
  scene.app.run(addRows(3))
  await second.durable()
  await scene.event((event) => event.type === 'failed' && event.operation === 'verification')
  scene.app.run(addRows(3))
  await second.durable()
  expect(second.status.state).not.toBe('fenced')
  await second.close()

  await store.put(files[0]!.key, whole)
  armed = true
  const third = await scene.replicate({ maintenance })
  scene.app.run(addRows(3))
  await third.durable()
  await inside
  const failures = scene.seen('failed').length
  expect((await third.close()).pendingFiles).toBe(0)
  expect(scene.seen('failed')).toHaveLength(failures)
})
