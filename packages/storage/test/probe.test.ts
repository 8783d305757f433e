import { expect, test } from 'vitest'
import {
  type BlobStore,
  type ConditionalPutReport,
  type ETag,
  type Fault,
  isStorageError,
  MemoryStore,
  probeConditionalPut,
  StorageError,
  withFaults,
  withObserver,
} from '../src/index.ts'
import { keysOf } from './store-under-test.ts'

/** A store of which one method does something else. */
function sabotaged(make: (right: BlobStore) => Partial<BlobStore>): { right: BlobStore; store: BlobStore } {
  const right = new MemoryStore()
  const handle: BlobStore = {
    driver: right.driver,
    capabilities: right.capabilities,
    list: (options) => right.list(options),
    head: (key, options) => right.head(key, options),
    get: (key, options) => right.get(key, options),
    put: (key, body, options) => right.put(key, body, options),
    delete: (keys, options) => right.delete(keys, options),
    [Symbol.asyncDispose]: async () => {},
  }
  return { right, store: { ...handle, ...make(right) } }
}

function faulty(plan: readonly Fault[]): { right: BlobStore; store: BlobStore } {
  const right = new MemoryStore()
  return { right, store: withFaults(right, plan) }
}

async function etagOf(store: BlobStore, key: string): Promise<ETag | undefined> {
  return store.head(key).then(
    ({ etag }) => etag,
    () => undefined,
  )
}

/** Keeps preconditions of one kind, but looks first and writes later, as Apache does. */
const racy = (kind: 'absent' | 'match'): { right: BlobStore; store: BlobStore } =>
  withKind(kind, (right) => async (key, body, { precondition, ...options } = {}) => {
    const current = await etagOf(right, key)
    const holds = precondition?.kind === 'match' ? current === precondition.etag : current === undefined
    return right.put(key, body, holds ? options : { ...options, precondition })
  })

/** Refuses or takes a put by the kind of its precondition. */
function withKind(kind: 'absent' | 'match', put: (right: BlobStore) => BlobStore['put']) {
  return sabotaged((right) => ({
    put: (key, body, options) =>
      options?.precondition?.kind === kind ? put(right)(key, body, options) : right.put(key, body, options),
  }))
}

const refusing =
  (right: BlobStore): BlobStore['put'] =>
  async (key) => {
    await right.head(key).catch(() => undefined)
    const fields = { code: 'precondition-failed', driver: 'memory', operation: 'put', key } as const
    throw new StorageError('no', fields)
  }

const unsupported = (): BlobStore['put'] => async (key) => {
  throw new StorageError('no', { code: 'unsupported', driver: 'memory', operation: 'put', key })
}

const ignoring =
  (right: BlobStore): BlobStore['put'] =>
  (key, body, options) =>
    right.put(key, body, { ...options, precondition: undefined })

test('a store that keeps preconditions is honoured: 6 requests, or some more with races', async () => {
  for (const [thorough, least, most] of [
    [false, 6, 6],
    [true, 100, 150],
  ] as const) {
    let calls = 0
    const right = new MemoryStore()
    const store = withObserver(right, () => {
      calls += 1
    })
    expect(await probeConditionalPut(store, { thorough })).toEqual({
      createOnly: true,
      compareAndSet: true,
      races: thorough ? 'one-winner' : 'not-tried',
      honoured: true,
      findings: [],
    })
    expect(calls).toBeGreaterThanOrEqual(least)
    expect(calls).toBeLessThanOrEqual(most)
    expect(await keysOf(right.list())).toEqual([])
  }
})

const REPLACED = "a put with 'absent' replaced an object"
const STALE = "a put with 'match' replaced another version than the one it named"
const CREATED = "a put with 'match' created an object"
const UNSUPPORTED = 'the store takes no preconditions'

test.each<[string, { right: BlobStore; store: BlobStore }, Partial<ConditionalPutReport>]>([
  [
    'ignores preconditions',
    faulty([{ operation: 'put', fault: 'ignore-precondition' }]),
    { createOnly: false, compareAndSet: false, findings: [REPLACED, STALE, CREATED] },
  ],
  [
    "ignores 'absent'",
    withKind('absent', ignoring),
    { createOnly: false, compareAndSet: true, findings: [REPLACED] },
  ],
  [
    "ignores 'match'",
    withKind('match', ignoring),
    { createOnly: true, compareAndSet: false, findings: [STALE, CREATED] },
  ],
  [
    "ignores 'match' where there is no object",
    sabotaged((right) => ({
      async put(key, body, options) {
        const there = (await etagOf(right, key)) !== undefined
        const isMatch = options?.precondition?.kind === 'match'
        return right.put(key, body, isMatch && !there ? { ...options, precondition: undefined } : options)
      },
    })),
    { createOnly: true, compareAndSet: false, findings: [CREATED] },
  ],
  [
    "refuses every 'absent'",
    withKind('absent', refusing),
    {
      createOnly: false,
      compareAndSet: true,
      findings: ["a put with 'absent' was refused where there was no object"],
    },
  ],
  [
    "refuses every 'match'",
    withKind('match', refusing),
    {
      createOnly: true,
      compareAndSet: false,
      findings: ["a put with 'match' was refused for the version that is there"],
    },
  ],
  [
    "has no 'absent'",
    withKind('absent', unsupported),
    { createOnly: false, compareAndSet: true, findings: [UNSUPPORTED] },
  ],
  [
    "has no 'match'",
    withKind('match', unsupported),
    { createOnly: true, compareAndSet: false, findings: [UNSUPPORTED] },
  ],
])('a store that %s is found out at once, and no race is tried', async (_, { right, store }, expected) => {
  for (const thorough of [false, true]) {
    const report = await probeConditionalPut(store, { thorough })
    expect(report).toEqual({ ...expected, races: 'not-tried', honoured: false })
    expect(await keysOf(right.list())).toEqual([])
  }
})

test.each(['absent', 'match'] as const)(
  "a store that keeps '%s' one by one and not at once is found out by the thorough form",
  async (kind) => {
    const { right, store } = racy(kind)
    expect(await probeConditionalPut(store)).toMatchObject({ honoured: true, races: 'not-tried' })
    const report = await probeConditionalPut(store, { thorough: true })
    expect(report).toMatchObject({
      createOnly: true,
      compareAndSet: true,
      races: 'several-winners',
      honoured: false,
    })
    expect(report.findings).toEqual([
      expect.stringMatching(new RegExp(`^of 10 puts with '${kind}' at once \\d+ succeeded$`)),
    ])
    expect(await keysOf(right.list())).toEqual([])
  },
)

test('a store that answers one winner and keeps the bytes of a loser is found out', async () => {
  const { store } = sabotaged((right) => ({
    async put(key, body, options) {
      try {
        return await right.put(key, body, options)
      } catch (error) {
        if (key.includes('create-')) await right.put(key, body)
        throw error
      }
    },
  }))
  const report = await probeConditionalPut(store, { thorough: true })
  expect(report).toMatchObject({ races: 'several-winners', honoured: false })
  expect(report.findings).toEqual([
    "of 10 puts with 'absent' at once one succeeded, and the object is not what that one wrote",
  ])
})

test('a store on which all that race lose is found out', async () => {
  const { store } = sabotaged((right) => ({
    put: (key, body, options) =>
      key.includes('create-') ? refusing(right)(key, body, options) : right.put(key, body, options),
  }))
  const report = await probeConditionalPut(store, { thorough: true })
  expect(report).toMatchObject({ races: 'no-winner', honoured: false })
  expect(report.findings).toEqual(["of 10 puts with 'absent' at once none succeeded"])
})

test('a store that cannot be written for another reason is no report but the error, at each put, and nothing stays', async () => {
  for (let at = 1; at <= 5; at++) {
    const { right, store } = faulty([{ operation: 'put', at, fault: 'fail', error: 'timeout' }])
    await expect(probeConditionalPut(store)).rejects.toMatchObject({ code: 'timeout' })
    expect(await keysOf(right.list())).toEqual([])
  }
})

test('a put that happened and got no answer is removed as well', async () => {
  const { right, store } = faulty([{ operation: 'put', at: 1, fault: 'applied-but-failed' }])
  await expect(probeConditionalPut(store)).rejects.toMatchObject({ code: 'unavailable' })
  expect(await keysOf(right.list())).toEqual([])
})

test('a race in which nobody was told that he won, and one got no answer, is no report but the error', async () => {
  const { right, store } = faulty([{ operation: 'put', key: /create-0/, at: 1, fault: 'applied-but-failed' }])
  await expect(probeConditionalPut(store, { thorough: true })).rejects.toMatchObject({ code: 'unavailable' })
  expect(await keysOf(right.list())).toEqual([])
})

test('a loser that got no answer is no finding', async () => {
  const { store } = faulty([
    { operation: 'put', key: /create-0/, at: 5, fault: 'fail', error: 'unavailable' },
    { operation: 'put', key: /replace-1/, at: 5, fault: 'fail', error: 'rate-limited' },
  ])
  expect(await probeConditionalPut(store, { thorough: true })).toMatchObject({ honoured: true, findings: [] })
})

test('what cannot be removed is told, and is no broken promise', async () => {
  const { right, store } = faulty([{ operation: 'delete', fault: 'fail', error: 'permission-denied' }])
  const report = await probeConditionalPut(store)
  const [left] = await keysOf(right.list())
  expect(report).toMatchObject({ honoured: true })
  expect(report.findings).toEqual([
    `what the probe wrote below ${left!.replace(/\/a$/, '')} could not be removed`,
  ])
})

test('an abort rejects with its reason, before the first put and at each, and nothing stays', async () => {
  const reason = new Error('enough')
  for (let at = 0; at <= 5; at++) {
    const aborter = new AbortController()
    if (at === 0) aborter.abort(reason)
    const wait = async (): Promise<void> => aborter.abort(reason)
    const { right, store } = faulty([{ operation: 'put', at, fault: 'delay', wait }])
    const { signal } = aborter
    await expect(probeConditionalPut(store, { signal }).catch((error: unknown) => error)).resolves.toBe(
      reason,
    )
    expect(await keysOf(right.list())).toEqual([])
  }
})

test('it writes below .sqlstream/probe/ alone, and two probes on one place do not meet', async () => {
  const keys = new Set<string>()
  const right = new MemoryStore()
  await right.put('.sqlstream/lease.json', Uint8Array.of(1))
  const store = withObserver(right, ({ operation, key }) => {
    if (operation === 'put') keys.add(key!)
  })
  const reports = await Promise.all(
    Array.from({ length: 5 }, () => probeConditionalPut(store, { thorough: true })),
  )
  expect(reports.every(({ honoured }) => honoured)).toBe(true)
  expect([...keys].filter((key) => !key.startsWith('.sqlstream/probe/'))).toEqual([])
  expect(await keysOf(right.list())).toEqual(['.sqlstream/lease.json'])
})

test('the errors of the probe are those of the store', async () => {
  const { store } = faulty([{ operation: 'put', fault: 'fail', error: 'permission-denied' }])
  const error = await probeConditionalPut(store).catch((reason: unknown) => reason)
  expect(isStorageError(error, 'permission-denied')).toBe(true)
})
