import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isReplicaError, planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import {
  checkPrefix,
  compareImages,
  databaseImage,
  HOSTILE_MIX,
  Random,
  TempFolder,
  WriterProcess,
} from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import type { Failpoint } from '../../src/index.ts'
import { FleetProcess } from './fleet-process.ts'

const SEED = Number(process.env['SQLSTREAM_SEED'] ?? Date.now() % 100_000)
const KILLS = 8
const NAMES = ['a.db', 'b.db', 'c.db', 'd.db']
const MIX = { ...HOSTILE_MIX, largeRow: 0.002, bulk: 0.002 }
const AT: readonly Failpoint[] = [
  'log:before-append',
  'log:torn-append',
  'log:after-append',
  'log:after-sync',
  'log:flushed',
  'spool:before-sync',
  'spool:after-rename',
  'journal:torn-append',
  'put:before',
  'put:after',
  'put:after-ack',
  'holder:between',
]

describe('the death of a fleet', () => {
  it.each([0, 1, 2].map((i) => SEED + i))(
    'L5: loses nothing that was reported durable, of no database, and takes no second image (seed %i)',
    { timeout: 300_000 },
    async (seed) => {
      const random = new Random(seed)
      using folder = new TempFolder('fleet-kill')
      for (const name of ['data', 'commits', 'restored']) mkdirSync(folder.join(name))
      const store = new FileStore(folder.join('replica'))
      const options = {
        folder: folder.join('data'),
        replica: folder.join('replica'),
        commits: folder.join('commits'),
        durableLog: folder.join('durable'),
      }
      const start = (name: string): Promise<WriterProcess> =>
        WriterProcess.start({
          database: folder.join('data', name),
          commitLog: folder.join('commits', name),
          mix: MIX,
          rate: 120,
          seed: random.below(1e9),
          pageSize: 4096,
        })
      const durable = (): Record<string, number> =>
        existsSync(options.durableLog)
          ? JSON.parse(readFileSync(options.durableLog, 'utf8').trimEnd().split('\n').at(-1) as string)
          : {}
      const restoreAndCheck = async (name: string, atLeast: number): Promise<void> => {
        const replica = new Replica(withPrefix(store, `${name}/`))
        const path = folder.join('restored', name)
        try {
          const plan = planRestore(await replica.catalog(), { kind: 'latest' })
          expect((await restore(replica, plan, fileSink(path, { overwrite: true }))).proven).toBe(true)
        } catch (error) {
          if (!isReplicaError(error, 'no-snapshot')) throw error
          expect(atLeast, `${name} was durable, but there is no snapshot`).toBe(0)
          return
        }
        checkPrefix(path, folder.join('commits', name), { atLeast })
      }
      const writers = new Map<string, WriterProcess>()
      for (const name of NAMES) writers.set(name, await start(name))
      for (let kill = 0; kill < KILLS; kill++) {
        const failpoint = random.chance(0.7) && `${random.pick(AT)}=${1 + random.below(8)}`
        const what = `kill ${kill} of seed ${seed} ${failpoint || 'at a random moment'}`
        const before = durable()
        const fleet = new FleetProcess({ ...options, ...(failpoint && { failpoint }) })
        await Promise.race([fleet.exited, sleep(failpoint ? 2500 : 400 + random.below(1200))])
        fleet.kill()
        expect((await fleet.exited).signal, `${what}: ${fleet.stderr}`).toBe('SIGKILL')
        for (const taken of fleet.snapshots)
          expect(before, what).not.toHaveProperty(taken.split(':')[0] as string)
        const now = durable()
        for (const name of NAMES) {
          await restoreAndCheck(name, now[name] ?? 0).catch((error: Error) => {
            throw new Error(`after ${what}: ${name}: ${error.message}`, { cause: error })
          })
          if (!random.chance(0.25)) continue
          // The last close of a database deletes its WAL.
          if (random.chance(0.5)) await writers.get(name)?.stop()
          else await writers.get(name)?.kill()
          writers.set(name, await start(name))
        }
      }
      const last = new FleetProcess(options)
      await sleep(500)
      for (const writer of writers.values()) await writer.kill()
      await last.stop()
      expect(readdirSync(folder.join('data', '.sqlstream-log')).sort()).toEqual(['id', 'lock', 'lock-owner'])
      for (const [name, writer] of writers) {
        await restoreAndCheck(name, writer.committed())
        await databaseImage(folder.join('data', name), folder.join('image.db'))
        expect(compareImages(folder.join('restored', name), folder.join('image.db'))).toMatchObject({
          equal: true,
        })
      }
    },
  )
})
