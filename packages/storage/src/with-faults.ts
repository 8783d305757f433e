import type { BlobContent, BlobInfo, BlobStore, ETag, PutOptions } from './blob-store.ts'
import { abortable, BodyReader, collectBody, createBody } from './body.ts'
import { StorageError, type StorageOperationName } from './errors.ts'
import {
  type DelayFault,
  type Fault,
  type FaultError,
  FaultSchedule,
  type FiredFault,
  type ShuffleListFault,
  type StaleListFault,
  selectsKey,
  type TruncateFault,
} from './faults.ts'
import { relayCopy } from './relay-copy.ts'

/** A store that misbehaves as planned. */
export interface FaultyStore extends BlobStore {
  /** Replaces the plan; all counts start again. An empty plan heals the store. */
  setPlan(plan: readonly Fault[]): void
  /** What has happened so far, in order. */
  readonly fired: readonly FiredFault[]
}

/**
 * A store for tests of those who use stores. Faults that hit the same call add up in the order of the
 * plan: delays wait, the first fault that ends the call ends it. Takes the store over.
 */
export function withFaults(store: BlobStore, plan: readonly Fault[]): FaultyStore {
  const schedule = new FaultSchedule()
  schedule.setPlan(plan)

  return {
    driver: store.driver,
    capabilities: store.capabilities,
    fired: schedule.fired,
    setPlan: (next) => schedule.setPlan(next),

    async *list(options = {}) {
      const prefix = options.prefix ?? ''
      const faults = schedule.hit('list', [prefix])
      let entries: AsyncIterable<BlobInfo> = store.list(options)
      await delay(faults, 'before', options.signal)
      for (const fault of faults) {
        if (fault.fault === 'fail') throw failure(store, 'list', prefix, fault)
        if (fault.fault === 'cut')
          entries = cut(entries, fault.entries, failure(store, 'list', prefix, fault))
        if (fault.fault === 'stale') entries = hideNewest(entries, fault)
        if (fault.fault === 'shuffle') entries = shuffle(entries, fault)
      }
      yield* entries
      await delay(faults, 'after', options.signal)
    },

    async head(key, options = {}) {
      const faults = schedule.hit('head', [key])
      await delay(faults, 'before', options.signal)
      for (const fault of faults) if (fault.fault === 'fail') throw failure(store, 'head', key, fault)
      const info = await store.head(key, options)
      await delay(faults, 'after', options.signal)
      return info
    },

    async get(key, options = {}) {
      const faults = schedule.hit('get', [key])
      await delay(faults, 'before', options.signal)
      for (const fault of faults) if (fault.fault === 'fail') throw failure(store, 'get', key, fault)
      let content = await store.get(key, options)
      await delay(faults, 'after', options.signal)
      for (const fault of faults) {
        if (fault.fault === 'truncate') content = truncate(content, fault, failure(store, 'get', key, fault))
      }
      return content
    },

    async put(key, body, options = {}) {
      const faults = schedule.hit('put', [key])
      await delay(faults, 'before', options.signal)
      let accepted: PutOptions = options
      for (const fault of faults) {
        if (fault.fault === 'fail') throw failure(store, 'put', key, fault)
        if (fault.fault === 'ignore-precondition') accepted = { ...accepted, precondition: undefined }
        if (fault.fault === 'not-applied-but-succeeded') {
          const { length } = await collectBody(body, options)
          return { key, size: length, etag: 'not-applied' as ETag, modified: new Date() }
        }
        if (fault.fault === 'partial') {
          await store.put(key, (await collectBody(body, options)).subarray(0, fault.bytes), accepted)
          throw failure(store, 'put', key, fault)
        }
      }
      const info = await store.put(key, body, accepted)
      await delay(faults, 'after', options.signal)
      for (const fault of faults) {
        if (fault.fault === 'applied-but-failed') throw failure(store, 'put', key, fault)
      }
      return info
    },

    ...relayCopy(store, {
      async around(send, key, options = {}) {
        const faults = schedule.hit('copy', [key])
        await delay(faults, 'before', options.signal)
        let accepted = options
        for (const fault of faults) {
          if (fault.fault === 'fail') throw failure(store, 'copy', key, fault)
          if (fault.fault === 'ignore-precondition') accepted = { ...accepted, precondition: undefined }
        }
        const info = await send(accepted)
        await delay(faults, 'after', options.signal)
        for (const fault of faults) {
          if (fault.fault === 'applied-but-failed') throw failure(store, 'copy', key, fault)
        }
        return info
      },
    }),

    async delete(keys, options = {}) {
      const faults = schedule.hit('delete', keys)
      await delay(faults, 'before', options.signal)
      let doomed = keys
      for (const fault of faults) {
        if (fault.fault === 'fail') throw failure(store, 'delete', undefined, fault)
        if (fault.fault === 'not-applied-but-succeeded')
          doomed = doomed.filter((key) => !selectsKey(fault, key))
      }
      await store.delete(doomed, options)
      await delay(faults, 'after', options.signal)
      for (const fault of faults) {
        if (fault.fault === 'applied-but-failed') throw failure(store, 'delete', undefined, fault)
      }
    },

    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

async function delay(
  faults: readonly Fault[],
  when: NonNullable<DelayFault['when']>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const fault of faults) {
    if (fault.fault === 'delay' && (fault.when ?? 'before') === when) await abortable(fault.wait(), signal)
  }
}

function failure(
  store: BlobStore,
  operation: StorageOperationName,
  key: string | undefined,
  fault: FaultError,
): Error {
  const { error = 'unavailable' } = fault
  if (typeof error !== 'string') return error
  const what = key === undefined ? operation : `${operation} ${key}`
  return new StorageError(`planned fault: ${what}`, { code: error, driver: store.driver, operation, key })
}

function truncate(content: BlobContent, fault: TruncateFault, error: Error): BlobContent {
  const reader = new BodyReader(content.body)
  let left = fault.bytes
  /** True while bytes may come. */
  function goesOn(): boolean {
    if (left > 0) return true
    if (fault.ending === 'silent') return false
    throw error
  }
  const body = createBody({
    async next() {
      if (!goesOn()) return undefined
      const chunk = (await reader.next())?.subarray(0, left)
      left -= chunk?.length ?? 0
      return chunk
    },
    async readInto(target) {
      if (!goesOn()) return 0
      const size = await reader.readInto(target.subarray(0, left))
      left -= size
      return size
    },
    close: () => reader.close(),
  })
  return { info: content.info, body }
}

async function* cut(entries: AsyncIterable<BlobInfo>, count: number, error: Error): AsyncGenerator<BlobInfo> {
  let seen = 0
  for await (const info of entries) {
    if (seen === count) throw error
    seen += 1
    yield info
  }
  throw error
}

async function* hideNewest(
  entries: AsyncIterable<BlobInfo>,
  fault: StaleListFault,
): AsyncGenerator<BlobInfo> {
  const all = await collect(entries)
  const newestFirst = all.toSorted(
    (a, b) => b.modified.getTime() - a.modified.getTime() || (a.key < b.key ? 1 : -1),
  )
  const hidden = new Set(newestFirst.slice(0, fault.newest))
  for (const info of all) if (!hidden.has(info)) yield info
}

async function* shuffle(entries: AsyncIterable<BlobInfo>, fault: ShuffleListFault): AsyncGenerator<BlobInfo> {
  const all = await collect(entries)
  let state = fault.seed ?? 1
  for (let i = all.length - 1; i > 0; i--) {
    // A linear congruential step is random enough to break an order.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const j = (state >>> 8) % (i + 1)
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  yield* all
}

async function collect(entries: AsyncIterable<BlobInfo>): Promise<BlobInfo[]> {
  const all: BlobInfo[] = []
  for await (const info of entries) all.push(info)
  return all
}
