import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { Random, TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RaceReport } from './race-main.ts'

/** docs/adr/0018 has the figures of a thousand. */
const ROUNDS = Number(process.env['SQLSTREAM_RACE_ROUNDS'] ?? 15)
const WRITERS = 8
const SEED = Number(process.env['SQLSTREAM_SEED'] ?? Date.now() % 1_000_000)

let folder: TempFolder
const children: ChildProcess[] = []
let onReport: (report: RaceReport) => void = () => undefined

beforeAll(() => {
  folder = new TempFolder('race')
  const script = fileURLToPath(new URL('./race-main.ts', import.meta.url))
  for (let i = 1; i <= WRITERS; i++) {
    const child = fork(script, [folder.path, String(i)], { execArgv: ['--conditions=@sqlstream/source'] })
    child.on('message', (report: RaceReport) => onReport(report))
    children.push(child)
  }
})

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  folder.remove()
})

it(`E1, E2, E6, E8, T31, T32: in ${ROUNDS} rounds, two to eight processes that are stopped beyond their time and go on (seed ${SEED}) never mix what they write`, {
  timeout: 60_000 + ROUNDS * 5000,
}, async () => {
  const random = new Random(SEED)
  const sums = { taken: 0, acknowledged: 0, fenced: 0, stopped: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const racing = children.slice(0, 2 + random.below(WRITERS - 1))
    const reports: RaceReport[] = []
    let idle = 0
    const all = Promise.withResolvers<void>()
    onReport = (report) => {
      reports.push(report)
      if ('idle' in report && ++idle === racing.length) all.resolve()
    }
    for (const child of racing) child.send(round)
    for (let i = 0; i < 3; i++) {
      const victim = racing[random.below(racing.length)]!
      await sleep(random.below(120))
      victim.kill('SIGSTOP')
      // Beyond its time to live, so that another one takes over; what is proven does not depend on it.
      await sleep(130 + random.below(150))
      victim.kill('SIGCONT')
      sums.stopped++
    }
    for (const child of racing) child.send(-1)
    await all.promise
    await check(round, reports)
    for (const report of reports) {
      if ('taken' in report) sums.taken++
      if ('acknowledged' in report) sums.acknowledged++
      if ('fenced' in report) sums.fenced++
    }
  }
  console.log(`${ROUNDS} rounds: ${JSON.stringify(sums)}`)
  expect(sums.taken).toBeGreaterThan(ROUNDS)
  expect(sums.acknowledged).toBeGreaterThan(ROUNDS)
})

async function check(round: number, reports: readonly RaceReport[]): Promise<void> {
  const taken = reports.flatMap((report) => ('taken' in report ? [Number(report.taken)] : []))
  expect(new Set(taken).size, 'an epoch was used twice').toBe(taken.length)
  const replica = new Replica(new FileStore(join(folder.path, String(round))))
  const files = (await replica.catalog()).levels.get(0) ?? []
  let highest = 0n
  const writers = new Map<string, string>()
  for (const file of files) {
    const { nodeId, walOffset } = await replica.header(file)
    expect(nodeId, `${file.key} is of an older epoch than the files before it`).toBeGreaterThanOrEqual(
      highest,
    )
    highest = nodeId
    writers.set(String(file.maxTXID), `${nodeId} by ${walOffset}`)
  }
  for (const report of reports) {
    if (!('acknowledged' in report)) continue
    expect(writers.get(report.acknowledged), 'what was acknowledged is not there').toBe(
      `${report.epoch} by ${report.writer}`,
    )
  }
}
