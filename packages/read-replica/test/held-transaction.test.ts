import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { Counted } from './support/counting-store.ts'
import { History } from './support/history.ts'

const SETUP = `CREATE TABLE t (id INTEGER PRIMARY KEY, a);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
  INSERT INTO t SELECT i, hex(randomblob(500)) FROM n; UPDATE t SET a = 1 WHERE id = 1`

const STEPS = [
  'commit',
  'schema',
  'query',
  'no read',
  'error',
  'pragma',
  'write',
  'transaction',
  'open',
  'rows',
] as const
const REFUSED = ['VACUUM', 'DELETE FROM t', 'WITH n AS (SELECT 1) DELETE FROM t']

test('F3: a query reads the newest state, whatever was run before it and is still under way', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 5, maxLength: 30 }), async (steps) => {
      using history = new History({ keepsDumps: false })
      await history.commit(SETUP)
      await using replica = await openReplica({ store: history.store, poll: false })
      const value = async () => (await replica.get('SELECT a FROM t WHERE id = 1'))?.['a']
      let newest = 1
      for (const step of steps) {
        if (step === 'commit' || step === 'schema') {
          const change = step === 'schema' ? `CREATE TABLE t${newest} (x);` : ''
          await history.commit(`${change} UPDATE t SET a = ${++newest} WHERE id = 1`)
          await replica.refresh()
        } else if (step === 'query') expect(await value()).toBe(newest)
        else if (step === 'no read') expect(await replica.get('SELECT 7 AS n')).toEqual({ n: 7 })
        else if (step === 'error')
          await expect(replica.get('SELECT * FROM nowhere')).rejects.toThrow(/no such table/)
        else if (step === 'pragma')
          expect(await replica.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
        else if (step === 'write') {
          for (const sql of REFUSED) await expect(replica.all(sql), sql).rejects.toThrow(/readonly/)
        } else if (step === 'transaction') {
          const sets = await replica.batch([['BEGIN'], ['SELECT a FROM t WHERE id = 1'], ['COMMIT']])
          expect(sets[1]).toEqual([{ a: newest }])
        } else if (step === 'open') {
          const open = replica.batch([
            ['SELECT a FROM t WHERE id = 1'],
            ['BEGIN'],
            ['SELECT a FROM t WHERE id = 1'],
          ])
          await expect(open).rejects.toThrow(/left a transaction open/)
        } else {
          const began = newest
          let rows = 0
          for await (const { id, a } of replica.iterate('SELECT id, a FROM t')) {
            if (id === 1) expect(a).toBe(began)
            if (rows++ === 3) {
              await history.commit(`UPDATE t SET a = ${++newest} WHERE id = 1`)
              await replica.refresh()
            }
            if (rows === 600) break
          }
          expect(rows).toBeGreaterThan(500)
        }
      }
      expect(await value()).toBe(newest)
      expect(await replica.get('SELECT sqlstream_txid() AS txid FROM t')).toEqual({
        txid: history.txid.toString(16).padStart(16, '0'),
      })
    }),
    { numRuns: 8 },
  )
})

test('Q1: a statement that reads no page costs no request', async () => {
  using history = new History()
  await history.commit(SETUP)
  const counted = new Counted(history.store)
  await using replica = await openReplica({ store: counted.store, poll: false })
  counted.take()
  expect(await replica.get('SELECT 1 AS one')).toEqual({ one: 1 })
  expect(counted.take()).toEqual([])
})
