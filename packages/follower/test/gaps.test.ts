import { toTXID } from '@sqlstream/ltx'
import { getBytes } from '@sqlstream/storage'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { type FollowerEvent, openFollower } from '../src/index.ts'
import { comparable, History } from './support/history.ts'

/** A copy at TXID 3 of a history that went on to `last`. */
async function behind(last: number, options: ConstructorParameters<typeof History>[0] = {}) {
  const history = new History(options)
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  for (let i = 2; i <= 3; i++) await history.step('INSERT INTO t(v) SELECT randomblob(3000)')
  const file = history.path('copy.db')
  const events: FollowerEvent[] = []
  const follower = await openFollower({
    replica: history.replica,
    file,
    poll: false,
    onEvent: (event) => events.push(event),
  })
  for (let i = 4; i <= last; i++) {
    await history.step(
      i === 6 ? 'DELETE FROM t WHERE id > 2; VACUUM' : 'INSERT INTO t(v) SELECT randomblob(3000)',
    )
  }
  const expectAt = (txid: number): void => {
    const image = history.images[txid] as Buffer
    expect(follower.status.pos).toEqual({ txid: BigInt(txid), postApplyChecksum: history.checksums[txid] })
    expect(comparable(file, image).equals(image)).toBe(true)
  }
  const dispose = async (): Promise<void> => {
    await follower.close()
    history[Symbol.dispose]()
  }
  return { history, follower, file, events, expectAt, [Symbol.asyncDispose]: dispose }
}

test.each([1, 2, 8])('F9, T41: a missing capture is bridged by a merge of level %i', async (level) => {
  await using at = await behind(9)
  await at.history.merge(level, 4, 7)
  await at.history.removeCaptures(5)
  await at.follower.catchUp()
  at.expectAt(9)
})

test('T41: a copy in the middle of a merge goes on by it', async () => {
  await using at = await behind(9)
  await at.history.merge(1, 2, 8)
  await at.history.removeCaptures(4, 5, 6, 7, 8)
  await at.follower.catchUp()
  at.expectAt(9)
})

test('F9, T41: just below a hole that no merge covers, a snapshot behind it is taken: only what differs is written, at once', async () => {
  await using at = await behind(9)
  await at.history.merge(9, 1, 8)
  await at.history.removeCaptures(4, 5)
  const reader = new Database(at.file, { readonly: true })
  const count = reader.prepare('SELECT count(*) FROM t').pluck()
  expect(count.get()).toBe(2)
  await at.follower.catchUp()
  at.expectAt(9)
  expect(count.get()).toBe(5)
  reader.close()
  expect(at.events.filter(({ type }) => type === 'rebased')).toMatchObject([{ from: 3n, pos: { txid: 9n } }])
})

test('F9, T41: a hole that nothing covers is an error at once, which ends when a snapshot comes', async () => {
  await using at = await behind(9)
  await at.history.removeCaptures(5)
  await expect(at.follower.catchUp()).rejects.toMatchObject({ code: 'gap', message: /0000000000000005/ })
  // What leads up to it was applied.
  at.expectAt(4)
  await at.history.put(10 - 1, { from: 0, as: 10 })
  await at.follower.catchUp()
  expect(at.follower.status.pos.txid).toBe(10n)
})

test('a copy that is followed tells of a hole at the next look, and goes on when the file comes', async () => {
  await using at = await behind(3)
  await at.follower.close()
  const failures: FollowerEvent[] = []
  const { promise: told, resolve } = Promise.withResolvers<void>()
  await using follower = await openFollower({
    replica: at.history.replica,
    file: at.file,
    poll: { everyMs: 5, listEveryMs: 10 },
    onEvent: (event) => {
      if (event.type !== 'failed') return
      failures.push(event)
      resolve()
    },
  })
  at.history.db.exec("INSERT INTO t(v) VALUES ('late')")
  const late = at.history.record()
  await at.history.step("INSERT INTO t(v) VALUES ('next')")
  await told
  expect(failures[0]).toMatchObject({ error: { code: 'gap' } })
  await at.history.put(late)
  await follower.waitFor(toTXID(BigInt(at.history.txid)))
  expect(BigInt(at.history.txid)).toBe(follower.status.pos.txid)
})

test('F7: a damaged capture is told of, and bridged by a merge', async () => {
  await using at = await behind(6)
  await at.history.merge(1, 4, 6)
  const key = 'ltx/0/0000000000000004-0000000000000004.ltx'
  const { body } = await at.history.store.get(key)
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  const bytes = Buffer.concat(parts)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
  await at.history.store.put(key, bytes)
  await at.history.removeCaptures(5)
  await at.follower.catchUp().catch((error: unknown) => expect(error).toMatchObject({ code: 'corrupt' }))
  await at.follower.catchUp()
  at.expectAt(6)
})

test('files that prove nothing are followed too, and zeros stand where a page is in no file', async () => {
  await using at = await behind(12, { proven: false, pageSize: 1024 })
  await at.follower.catchUp()
  at.expectAt(12)
})

test('the layout of S3 is followed like any other', async () => {
  await using at = await behind(7, { layout: 's3' })
  await at.follower.catchUp()
  at.expectAt(7)
  await at.follower.close()
  await using follower = await openFollower({
    replica: at.history.replica,
    file: at.file,
    poll: { everyMs: 1, listEveryMs: 1 },
  })
  await follower.waitFor(toTXID(7n))
  for (let i = 0; i < 3; i++) await at.history.step('INSERT INTO t(v) SELECT randomblob(3000)')
  await at.history.merge(0, 8, 10)
  await at.history.removeCaptures(8, 9, 10)
  await follower.waitFor(toTXID(10n))
})

test('T28: a capture that is seen while it still arrives is told of, and read again', async () => {
  await using at = await behind(3)
  await at.follower.close()
  at.history.db.exec("INSERT INTO t(v) VALUES ('late')")
  const late = at.history.record()
  const file = await at.history.put(late)
  const bytes = await getBytes(at.history.store, file.key)
  await at.history.store.put(file.key, bytes.subarray(0, bytes.length - 40))
  const codes: unknown[] = []
  const { promise: told, resolve } = Promise.withResolvers<void>()
  await using follower = await openFollower({
    replica: at.history.replica,
    file: at.file,
    poll: { everyMs: 5, listEveryMs: 10 },
    onEvent: (event) => {
      if (event.type !== 'failed') return
      codes.push(Reflect.get(event.error, 'code'))
      if (codes.includes('gap')) resolve()
    },
  })
  await told
  expect(codes).toContain('corrupt')
  await at.history.store.put(file.key, bytes)
  await follower.waitFor(file.maxTXID)
})
