import { type Fault, type FaultyStore, withFaults } from '@sqlstream/storage'
import { expect, it } from 'vitest'
import type { Primary } from '../../src/index.ts'
import { Scene } from './support/scene.ts'

const COMMITS = 4
/** More than any operation is called in one run. */
const CALLS = 14

/** What can become of the n-th call. */
const KINDS: readonly (readonly [string, (at: number) => Fault])[] = [
  ['a put is lost', (at) => ({ operation: 'put', at, fault: 'fail' })],
  ['the answer to a put is lost', (at) => ({ operation: 'put', at, fault: 'applied-but-failed' })],
  ['a put is slowed down', (at) => ({ operation: 'put', at, fault: 'fail', error: 'rate-limited' })],
  ['a put is denied', (at) => ({ operation: 'put', at, fault: 'fail', error: 'permission-denied' })],
  ['a get fails', (at) => ({ operation: 'get', at, fault: 'fail' })],
  ['a get times out', (at) => ({ operation: 'get', at, fault: 'fail', error: 'timeout' })],
  ['a body is cut', (at) => ({ operation: 'get', at, fault: 'truncate', bytes: 20 })],
  [
    'a body is short without a word',
    (at) => ({ operation: 'get', at, fault: 'truncate', bytes: 20, ending: 'silent' }),
  ],
  ['a delete fails', (at) => ({ operation: 'delete', at, fault: 'fail' })],
]

/** Commits, waits for each, and ends; what was acknowledged as durable. Errors are what a caller would see. */
async function run(
  scene: Scene,
  store: FaultyStore,
  plan: readonly Fault[],
  from: number,
): Promise<number[]> {
  store.setPlan(plan)
  const acknowledged: number[] = []
  let primary: Primary | undefined
  for (let i = from; i < from + COMMITS; i++) {
    primary ??= await scene.replicate({ syncIntervalMs: 60_000 }).catch(() => undefined)
    scene.app.run(`INSERT INTO t(id, v) VALUES(${i}, 'x')`)
    const safe = await primary?.durable({ signal: AbortSignal.timeout(20_000) }).catch(() => undefined)
    if (safe !== undefined) acknowledged.push(i)
  }
  await primary?.close()
  return acknowledged
}

it.each(KINDS)(
  'P1, P2: when %s, at whatever call, it is said or made good, and nothing acknowledged is missing after the next start',
  async (_, faultAt) => {
    let fired = 0
    for (let at = 1; at <= CALLS; at++) {
      let store: FaultyStore | undefined
      await using scene = await Scene.begin({ wrap: (inner) => (store = withFaults(inner, [])) })
      const plan = [faultAt(at)]
      const acknowledged = await run(scene, store!, plan, 1)
      if (store!.fired.length === 0) break
      fired++
      const restored = async (): Promise<string[]> =>
        String(await scene.ask("SELECT coalesce(group_concat(id, ' '), '') FROM t")).split(' ')
      store!.setPlan([])
      if (acknowledged.length > 0) {
        expect(await restored(), `call ${at}`).toEqual(expect.arrayContaining(acknowledged.map(String)))
      }
      const later = await run(scene, store!, [], 100)
      expect(later).toHaveLength(COMMITS)
      expect(await restored(), `call ${at}`).toEqual([1, 2, 3, 4, 100, 101, 102, 103].map(String))
    }
    expect(fired).toBeGreaterThan(0)
  },
)
