import { copyFileSync, cpSync, existsSync } from 'node:fs'
import { createRetentionPolicy, Replica } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { checkPrefix, HOSTILE_MIX, lastCommit, Random, TempFolder, WriterProcess } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { FAILPOINTS } from '../src/index.ts'
import { runFollower } from './support/run-follower.ts'

const ROUNDS = 8

test('T41: behind an application that does nasty things, with merges and removals all the time, killed again and again, a copy is a state that the application had', async () => {
  using folder = new TempFolder('hostile')
  const random = new Random(41)
  const database = folder.join('app.db')
  const commitLog = folder.join('commits')
  await using writer = await WriterProcess.start({
    database,
    commitLog,
    rate: 300,
    mix: HOSTILE_MIX,
    seed: 7,
  })
  const primary = await Primary.open({
    database,
    replica: new Replica(new FileStore(folder.join('replica'))),
    syncIntervalMs: 20,
    maintenance: {
      compaction: { levels: { every: [200, 1000] }, snapshots: { growth: 2 } },
      retention: createRetentionPolicy({
        keep: [
          { every: 'capture', for: 300 },
          { every: 200, for: 2000 },
          { every: 1000, for: 10_000 },
        ],
        grace: 500,
      }),
      retainEveryMs: 100,
    },
  })
  const options = { store: folder.join('replica'), file: folder.join('copy.db') }
  let kills = 0
  let rows = 0
  try {
    await primary.durable()
    runFollower(options)
    for (let round = 0; round < ROUNDS; round++) {
      await writer.waitForCommits(lastCommit(commitLog) + random.integer(5, 60))
      const committed = lastCommit(commitLog)
      await primary.durable()
      const dieAt = { failpoint: random.pick(FAILPOINTS), passing: random.integer(1, 3) }
      const ended = runFollower({ ...options, dieAt })
      if (!ended) kills++
      // Looked at in a copy of the copy, since SQLite recovers it there.
      const seen = folder.join(`seen-${round}.db`)
      copyFileSync(options.file, seen)
      if (existsSync(`${options.file}-journal`)) cpSync(`${options.file}-journal`, `${seen}-journal`)
      const db = new Database(seen)
      db.pragma('user_version')
      db.close()
      const now = checkPrefix(seen, commitLog, { atLeast: ended ? committed : rows }).rows
      expect(now).toBeGreaterThanOrEqual(rows)
      rows = now
    }
    await writer.stop()
    await primary.durable()
    expect(runFollower(options)).toBe(true)
    expect(checkPrefix(options.file, commitLog, { atLeast: lastCommit(commitLog) }).rows).toBe(
      lastCommit(commitLog),
    )
    expect(kills).toBeGreaterThan(1)
  } finally {
    await primary.close()
  }
})
