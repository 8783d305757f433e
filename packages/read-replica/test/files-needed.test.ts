import { expect, test } from 'vitest'
import type { EngineFailure, EngineReply, EngineRequest } from '../src/engine/messages.ts'
import type { EngineEvents, EngineLink } from '../src/engine-client.ts'
import { openWith } from '../src/open.ts'
import { History } from './support/history.ts'
import { removeFiles, snapshotNow } from './support/maintain.ts'

const STATS = { hits: 0, misses: 0, cachedBytes: 0, waitMs: 0 }

/** A thread that cannot wait: it answers the first calls with these failures, then with a row. */
function threadThatNeeds(failures: (EngineFailure | 'row')[], log: EngineRequest[]) {
  return ({ onMessage }: EngineEvents): EngineLink => ({
    post(request) {
      log.push(request)
      if (!('call' in request)) return
      const isQuery = ['run', 'begin', 'next'].includes(request.type)
      const answer = isQuery ? (failures.shift() ?? 'row') : 'row'
      const reply: EngineReply = {
        type: 'reply',
        call: request.call,
        sets: [{ columns: ['a'], rows: [[1]] }],
        isLast: true,
        stats: STATS,
        ...(answer !== 'row' && { error: answer }),
      }
      queueMicrotask(() => onMessage(reply))
    },
    terminate: () => undefined,
  })
}

async function historyWithTwoWays(): Promise<History> {
  const history = new History()
  await history.commit('CREATE TABLE t (a); INSERT INTO t VALUES (1)')
  await history.commit('INSERT INTO t VALUES (2)')
  return history
}

const urlOf = (key: string): string => `https://bucket/${key}`

test('M1: where SQLite cannot wait for other files, the call is made again when they are there', async () => {
  using history = await historyWithTwoWays()
  const log: EngineRequest[] = []
  const failures: EngineFailure[] = [{ kind: 'replan', txid: 2n, file: 1 }]
  await using replica = await openWith(threadThatNeeds(failures, log), {
    store: history.store,
    poll: false,
    urlOf,
  })
  await snapshotNow(history)
  const { levels } = await history.replica.catalog()
  await removeFiles(history, [
    ...(levels.get(0) ?? []),
    ...(levels.get(9) ?? []).filter((f) => f.maxTXID === 1n),
  ])
  log.length = 0
  expect(await replica.all('SELECT a FROM t')).toEqual([{ a: 1 }])
  expect(log.map(({ type }) => type)).toEqual(['run', 'view', 'forget', 'run'])
  expect(log[1]).toMatchObject({
    update: {
      state: { txid: 2n },
      files: [{ address: { url: expect.stringMatching(/^https:\/\/bucket\/ltx\/9\/0{15}1-0{15}2\.ltx$/) } }],
    },
  })
})

test('M1: a newer state is as good, and what nobody can find is an error', async () => {
  using history = await historyWithTwoWays()
  const log: EngineRequest[] = []
  const failures: EngineFailure[] = [{ kind: 'replan', txid: 1n, file: 1 }]
  await using replica = await openWith(threadThatNeeds(failures, log), {
    store: history.store,
    poll: false,
    urlOf,
  })
  log.length = 0
  expect(await replica.all('SELECT a FROM t')).toEqual([{ a: 1 }])
  expect(log.map(({ type }) => type)).toEqual(['run', 'run'])
  await removeFiles(history, (await history.replica.catalog()).levels.get(9) ?? [])
  failures.push({ kind: 'replan', txid: 2n, file: 1 })
  const fixed = await replica.asOf({ txid: history.txid }).catch((error: unknown) => error)
  expect(fixed).toMatchObject({ code: 'no-snapshot' })
  await expect(replica.snapshot((tx) => tx.all('SELECT a FROM t'))).rejects.toMatchObject({
    code: 'snapshot-gone',
  })
})

test('M1: rows that were shown do not come again: the loop ends with "snapshot-gone"', async () => {
  using history = await historyWithTwoWays()
  const failures: (EngineFailure | 'row')[] = ['row', { kind: 'replan', txid: 2n, file: 1 }]
  await using replica = await openWith(threadThatNeeds(failures, []), {
    store: history.store,
    poll: false,
    urlOf,
  })
  await expect(replica.iterate('SELECT a FROM t').next()).rejects.toMatchObject({ code: 'snapshot-gone' })
})

test('E3: when the thread of SQLite dies, what is under way rejects, and what comes later', async () => {
  using history = await historyWithTwoWays()
  let end: EngineEvents['onEnd'] = () => undefined
  const start = (events: EngineEvents): EngineLink => {
    const link = threadThatNeeds([], [])(events)
    end = events.onEnd
    return { ...link, post: (request) => (request.type === 'run' ? undefined : link.post(request, [])) }
  }
  const replica = await openWith(start, { store: history.store, poll: false, urlOf })
  const running = replica.all('SELECT 1')
  const failed = expect(running).rejects.toMatchObject({
    code: 'engine',
    cause: { message: 'out of memory' },
  })
  await Promise.resolve()
  end(new Error('out of memory'))
  await failed
  await expect(replica.all('SELECT 1')).rejects.toMatchObject({ code: 'engine' })
  await replica.close()
})

test('E1: a failure that the thread has met itself names the object', async () => {
  using history = await historyWithTwoWays()
  const failures: EngineFailure[] = [{ kind: 'store', message: 'the answer is 500', file: 1 }]
  await using replica = await openWith(threadThatNeeds(failures, []), {
    store: history.store,
    poll: false,
    urlOf,
  })
  await expect(replica.all('SELECT 1')).rejects.toMatchObject({
    name: 'StorageError',
    code: 'unavailable',
    message: expect.stringMatching(/^ltx\/.*: the answer is 500$/),
  })
})
