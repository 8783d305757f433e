import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { FileStore } from '@sqlstream/storage-file'
import { Random, TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { FAILPOINTS } from '../../src/index.ts'
import type { FleetArguments } from './fleet-main.ts'
import { FleetScene } from './fleet-scene.ts'

const MAIN = fileURLToPath(new URL('./fleet-main.ts', import.meta.url))
const NAMES = ['a.db', 'b.db']
const SEED = Number(process.env['SQLSTREAM_SEED'] ?? Date.now() % 100_000)

/** Runs a fleet until it dies at its failpoint, or until all rest after the application has acted; then it is killed. */
async function runAndKill(options: FleetArguments, act: () => void): Promise<void> {
  const child = fork(MAIN, [JSON.stringify(options)], {
    execArgv: ['--conditions=@sqlstream/source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let rests = 0
  child.on('message', (message) => {
    if (message !== 'resting') return
    if (rests++ === 0) act()
    else child.kill('SIGKILL')
  })
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
}

describe('a fleet that is killed', () => {
  const failpoints = FAILPOINTS.filter((name) => name.startsWith('rest:'))
  it.each(failpoints.map((name, i) => [name, SEED + i] as const))(
    'at %s calls nothing backed up that is not (Q4, Q5; seed %i)',
    { timeout: 300_000 },
    async (failpoint, seed) => {
      const random = new Random(seed)
      using files = new TempFolder('files')
      await using scene = await FleetScene.begin(() => new FileStore(files.join('store')))
      for (const name of NAMES) scene.create(name)
      for (let round = 0; round < 4; round++) {
        const child = { root: scene.root, store: files.join('store'), databases: NAMES.length }
        const kill = { failpoint: `${failpoint}=${1 + random.below(3)}` }
        await runAndKill({ ...child, ...(round > 0 && kill) }, () =>
          scene.add(NAMES[random.below(2)] as string),
        )
        if (random.chance(0.5)) scene.add(NAMES[random.below(2)] as string)
        const fleet = await scene.replicate({
          storeName: 'files',
          primary: { maintenance: { compaction: { levels: { every: [200, 1000] } } } },
        })
        await scene.until(() => fleet.counts.resting === NAMES.length)
        await fleet.settled()
        await scene.until(() => fleet.counts.resting === NAMES.length)
        for (const name of NAMES) {
          const rows = scene.app.value('SELECT count(*) FROM t', name)
          expect(await scene.ask(`${name}/`), `${name} in round ${round}`).toBe(rows)
        }
        expect(scene.events.filter(({ type }) => type === 'open-failed')).toEqual([])
        await fleet.close(random.chance(0.5) ? {} : { signal: AbortSignal.abort() })
      }
    },
  )
})
