import { filesOf } from '@sqlstream/replica'
import { describe, expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { Counted } from './support/counting-store.ts'
import { largeHistory } from './support/large.ts'

/** Of the database of 200 MB that the bounds are stated for. */
const SHARE = Number(process.env['SQLSTREAM_READER_SHARE'] ?? 0.12)

describe('requests, counted at the store', () => {
  test('A3: few of them for opening, for a row, for a count, for a full scan; none for what was read', async () => {
    using history = await largeHistory(SHARE)
    const files = filesOf(await history.replica.catalog()).length
    expect(files).toBe(12)
    const counted = new Counted(history.store)
    await using replica = await openReplica({
      store: counted.store,
      poll: false,
      cache: { bytes: 300 * 1024 * 1024 },
    })
    const log: Record<string, { requests: number; bytes: number }> = {}
    const measure = async (what: string, work: () => Promise<unknown>): Promise<number> => {
      counted.take()
      await work()
      // What was asked for ahead has come when a later statement has waited for it, or is under way: it counts when it began.
      const requests = counted.take()
      log[what] = { requests: requests.length, bytes: requests.reduce((sum, { bytes }) => sum + bytes, 0) }
      return requests.length
    }
    expect(counted.take().length).toBeLessThanOrEqual(files + 3)
    const rows = Math.round(400_000 * SHARE)
    const row = (id: number) => replica.get('SELECT * FROM item WHERE id = ?', [id])
    expect(await measure('first row', () => row(Math.round(rows / 3)))).toBeLessThanOrEqual(3)
    expect(await measure('second row', () => row(Math.round(rows / 2)))).toBeLessThanOrEqual(2)
    expect(await measure('same row', () => row(Math.round(rows / 2)))).toBe(0)
    expect(
      await measure('by name', () => replica.all('SELECT * FROM item WHERE name = ?', ['name 77'])),
    ).toBeLessThanOrEqual(5)
    expect(
      await measure('100 rows', () => replica.all('SELECT * FROM item WHERE id BETWEEN 1000 AND 1099')),
    ).toBeLessThanOrEqual(6)
    expect(await measure('count', () => replica.all('SELECT count(*) FROM item'))).toBeLessThanOrEqual(30)
    const scan = await measure('scan', () => replica.all('SELECT sum(length(body)) AS n FROM item'))
    expect(scan).toBeLessThanOrEqual(Math.max(30, 400 * SHARE))
    expect(await measure('scan again', () => replica.all('SELECT sum(length(body)) AS n FROM item'))).toBe(0)
    process.stdout.write(`${JSON.stringify(log)} ${JSON.stringify(replica.stats())}\n`)
  })

  test('A3: a small cache stays right, and costs no multiple of requests', async () => {
    using history = await largeHistory(0.05)
    const expected = history.db.prepare('SELECT sum(length(body)) AS n, sum(kind) AS k FROM item').get()
    const counted = new Counted(history.store)
    await using replica = await openReplica({
      store: counted.store,
      poll: false,
      cache: { bytes: 2 * 1024 * 1024 },
    })
    counted.take()
    expect(await replica.get('SELECT sum(length(body)) AS n, sum(kind) AS k FROM item')).toEqual(expected)
    expect(counted.take().length).toBeLessThanOrEqual(160)
    expect(replica.stats().cachedBytes).toBeLessThanOrEqual(2 * 1024 * 1024)
  })
})
