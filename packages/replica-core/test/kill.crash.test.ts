import { setTimeout as sleep } from 'node:timers/promises'
import { isReplicaError, planRestore, Replica, restore, verify } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import {
  checkPrefix,
  compareImages,
  databaseImage,
  HOSTILE_MIX,
  lastCommit,
  Random,
  TempFolder,
  WriterProcess,
} from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { FAILPOINTS } from '../src/index.ts'
import { ReplicatorProcess } from './replicator-process.ts'

const KILLS = Number(process.env['SQLSTREAM_KILLS'] ?? 210)
const KILLS_PER_DATABASE = 15
/** A writer at full speed makes a large database soon, which each restore then checks. */
const KILLS_AT_FULL_SPEED = 5
const FAILPOINT_PATIENCE_MS = 30_000
/** A single primary is never let go, and the disk is large: test/fleet/parked.crash.test.ts and test/given-up.crash.test.ts have the others. */
const REACHED = FAILPOINTS.filter((name) => !/^(rest|owed|given-up):/.test(name))
const SEED = Number(process.env['SQLSTREAM_SEED'] ?? Date.now() % 100_000)
const MIX = { ...HOSTILE_MIX, largeRow: 0.002, bulk: 0.002 }

/** Restores the head; returns the rows, or 0 when there is no snapshot yet. */
async function restoreAndCheck(
  replica: Replica,
  path: string,
  commitLog: string,
  atLeast: number,
): Promise<number> {
  const catalog = await replica.catalog()
  let plan: ReturnType<typeof planRestore>
  try {
    plan = planRestore(catalog, { kind: 'latest' })
  } catch (error) {
    if (!isReplicaError(error, 'no-snapshot')) throw error
    expect(atLeast, 'something was durable, but there is no snapshot').toBe(0)
    return 0
  }
  const result = await restore(replica, plan, fileSink(path, { overwrite: true }))
  expect(result.proven).toBe(true)
  return checkPrefix(path, commitLog, { atLeast }).rows
}

describe('SIGKILL at failpoints and at random moments', () => {
  // Two of three databases get the many kills, one the few.
  const databases = Math.ceil((KILLS * 3) / (2 * KILLS_PER_DATABASE + KILLS_AT_FULL_SPEED))
  it.each(Array.from({ length: databases }, (_, i) => SEED + i))(
    'loses nothing that was reported durable, and the replica stays one proven chain (seed %i)',
    { timeout: 300_000 },
    async (seed) => {
      const random = new Random(seed)
      const fullSpeed = seed % 3 === 0
      const kills = fullSpeed ? KILLS_AT_FULL_SPEED : KILLS_PER_DATABASE
      using folder = new TempFolder('kill')
      const database = folder.join('app.db')
      const commitLog = folder.join('commits')
      const durableLog = folder.join('durable')
      const restored = folder.join('restored.db')
      const replicaFolder = folder.join('replica')
      const replica = new Replica(new FileStore(replicaFolder))
      const options = {
        database,
        replica: replicaFolder,
        commitLog,
        durableLog,
        // With the files of its own, or with a log as databases of one process share it.
        ...(seed % 2 === 0 && { log: folder.join('log') }),
      }
      const startWriter = (): Promise<WriterProcess> =>
        WriterProcess.start({
          database,
          commitLog,
          mix: MIX,
          ...(!fullSpeed && { rate: 400 }),
          seed: random.below(1e9),
          pageSize: 4096,
        })

      let writer = await startWriter()
      let durableSoFar = 0
      for (let kill = 0; kill < kills; kill++) {
        const atFailpoint = random.chance(0.7)
        const failpoint = `${REACHED[random.below(REACHED.length)]}=${1 + random.below(6)}`
        const what = `kill ${kill} of seed ${seed} ${atFailpoint ? failpoint : 'at a random moment'}`
        const replicator = new ReplicatorProcess({ ...options, ...(atFailpoint && { failpoint }) })
        if (atFailpoint) {
          await Promise.race([replicator.exited, sleep(1000)])
        } else if (await replicator.ready()) {
          await sleep(random.below(400))
        }
        const both = random.chance(0.3)
        replicator.kill()
        if (both) await writer.kill()
        const { signal } = await replicator.exited
        const durableBefore = durableSoFar
        durableSoFar = lastCommit(durableLog)
        // Once something is durable there is a base, and whatever happens only changed pages go up.
        if (durableBefore > 0) expect(replicator.snapshots, what).toEqual([])
        expect(signal, `${what}: ${replicator.stderr}`).toBe('SIGKILL')
        const durable = lastCommit(durableLog)
        if (!both && random.chance(0.3)) {
          // The application goes on alone, and may restart or delete its WAL.
          await sleep(random.below(200))
          if (random.chance(0.5)) await writer.stop()
        }
        await restoreAndCheck(replica, restored, commitLog, durable).catch((error: Error) => {
          throw new Error(`after ${what}: ${error.message}`, { cause: error })
        })
        if (both || random.chance(0.2)) {
          await writer.kill()
          writer = await startWriter()
        }
      }
      await writer.kill()

      const replicator = new ReplicatorProcess(options)
      expect(await replicator.ready(), replicator.stderr).toBe(true)
      await replicator.stop()
      await restoreAndCheck(replica, restored, commitLog, writer.committed())
      await databaseImage(database, folder.join('image.db'))
      expect(compareImages(restored, folder.join('image.db'))).toMatchObject({ equal: true })
      for await (const finding of verify(replica, { depth: 'bytes' })) {
        expect(finding.severity, finding.message).not.toBe('error')
      }
    },
  )

  const ofLog = FAILPOINTS.filter((name) => name.startsWith('log:'))
  const withLog = [
    ...ofLog,
    'put:before',
    'put:after',
    'put:after-ack',
    'journal:before-append',
    'journal:torn-append',
    'spool:before-rename',
    'spool:after-rename',
  ]
  it.each([
    ...REACHED.filter((name) => !name.startsWith('log:')).map((name) => [name, 'without a log'] as const),
    ...withLog.map((name) => [name, 'with a log'] as const),
  ])('recovers from a death at %s, %s', { timeout: 90_000 }, async (failpoint, mode) => {
    using folder = new TempFolder('failpoint')
    const database = folder.join('app.db')
    const commitLog = folder.join('commits')
    const durableLog = folder.join('durable')
    const replica = new Replica(new FileStore(folder.join('replica')))
    const log = mode === 'with a log' && { log: folder.join('log') }
    const options = { database, replica: folder.join('replica'), commitLog, durableLog, ...log }
    await using writer = await WriterProcess.start({ database, commitLog, mix: MIX, rate: 400 })
    const dying = new ReplicatorProcess({ ...options, failpoint })
    const patience = AbortSignal.timeout(FAILPOINT_PATIENCE_MS)
    patience.addEventListener('abort', () => dying.kill('SIGTERM'))
    expect((await dying.exited).signal, `${failpoint} was never passed: ${dying.stderr}`).toBe('SIGKILL')
    await restoreAndCheck(replica, folder.join('restored.db'), commitLog, lastCommit(durableLog))
    const second = new ReplicatorProcess(options)
    expect(await second.ready(), second.stderr).toBe(true)
    await writer.stop()
    await second.stop()
    await restoreAndCheck(replica, folder.join('restored.db'), commitLog, writer.committed())
  })
})
