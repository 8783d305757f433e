import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toTXID } from '@sqlstream/ltx'
import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { granularity } from '../src/granularity.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App } from './support/app.ts'
import { runCLI } from './support/run-cli.ts'

const folder = new TempFolder('list')
const backup = folder.join('backup')
const started = new Date()

beforeAll(async () => {
  using app = new App(folder.join('app.db'))
  for (let i = 0; i < 4; i++) {
    app.commit(1)
    await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])
    await sleep(5)
  }
})

afterAll(() => folder.remove())

async function list(...args: string[]): Promise<ReturnType<typeof SCHEMAS.list.parse>> {
  const { status, stdout, stderr } = await runCLI(['list', backup, '--json', ...args])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return SCHEMAS.list.parse(JSON.parse(stdout))
}

test('tells whose replica it is, what is in it, and from when to when it can be restored', async () => {
  const result = await list()
  expect(result).toMatchObject({
    source: backup,
    databaseId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    head: '0000000000000004',
    files: 4,
    levels: [
      { level: 0, files: 3 },
      { level: 9, files: 1 },
    ],
    restorable: { states: 4, oldest: { txid: '0000000000000001' }, newest: { txid: '0000000000000004' } },
  })
  expect(result.points).toBeUndefined()
  expect(result.levels.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(result.bytes)
  const { stdout } = await runCLI(['list', backup])
  expect(stdout).toMatch(
    /: 4 files, [\d.]+ KiB, up to TXID 0{15}4\ndatabase \S+, replicated since \S+Z\nLEVEL +FILES +BYTES\n0 captures +3 /,
  )
  expect(stdout).toMatch(
    /\ncan be restored to 4 states, from \S+Z \(TXID 0{15}1\) to \S+Z \(TXID 0{15}4\)\nnever restored as a drill: /,
  )
})

test('shows the instants that can be restored, which are those that restore gives', async () => {
  const { points } = await list('--points')
  expect(points?.newest.map(({ txid }) => txid)).toEqual([4, 3, 2, 1].map((n) => `000000000000000${n}`))
  expect(points?.ages).toEqual([{ upToMs: 3_600_000, states: 4, medianStepMs: expect.any(Number) }])
  expect(points?.exact).toBe(true)
  for (const { txid, time } of points?.newest ?? []) {
    expect(Date.parse(time)).toBeGreaterThan(started.getTime())
    const args = ['restore', backup, '-o', folder.join('x.db'), '--dry-run', '--json', '--timestamp', time]
    expect(JSON.parse((await runCLI(args)).stdout)).toMatchObject({ txid, timestamp: time })
  }
  expect((await list('--all')).points?.newest).toEqual(points?.newest)
  const { stdout } = await runCLI(['list', backup, '--points'])
  expect(stdout).toMatch(/\nUP TO AN AGE OF +STATES +MOSTLY EVERY\n1h +4 +[\d.]+ m?s\n\S+Z {2}0{15}4\n/)
})

test('where files do not connect it says so', async () => {
  rmSync(join(backup, 'ltx/0/0000000000000003-0000000000000003.ltx'))
  const { head, restorable } = await list()
  expect([head, restorable?.newest.txid]).toEqual(['0000000000000004', '0000000000000002'])
  expect((await runCLI(['list', backup])).stdout).toMatch(
    /\nthe newest files do not connect: sqlstream verify/,
  )
})

test('without a backup it is an error', async () => {
  const { status, stderr } = await runCLI(['list', folder.join('nothing')])
  expect(stderr).toContain('(no-backup)')
  expect(status).toBe(EXIT.notFound)
})

describe('granularity', () => {
  const now = new Date('2026-11-24T00:00:00Z')
  const before = (ms: number, i: number) => ({
    txid: toTXID(BigInt(i + 1)),
    time: new Date(now.getTime() - ms),
  })

  test('counts states by age, with the usual distance to the one before', () => {
    const ages = [40 * 86_400_000, 7_200_000, 7_000_000, 60_000, 30_000, 20_000].map(before)
    expect(granularity(ages, now)).toEqual([
      { upToMs: 3_600_000, states: 3, medianStepMs: 30_000 },
      { upToMs: 86_400_000, states: 2, medianStepMs: 200_000 },
      { states: 1 },
    ])
  })

  test('of a state of the future and of a clock that went back is no nonsense', () => {
    expect(granularity([-5000, 5000].map(before), now)).toEqual([
      { upToMs: 3_600_000, states: 2, medianStepMs: 0 },
    ])
    expect(granularity([], now)).toEqual([])
  })
})
