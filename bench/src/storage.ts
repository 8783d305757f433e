import { atLeast, type Benchmark, type Figure } from './benchmark.ts'
import { Child } from './child.ts'
import { type Contest, contests, type ObjectClient } from './object-clients.ts'
import type { ObjectServers } from './object-servers-main.ts'
import { median, rate } from './statistics.ts'

const MIB = 2 ** 20
const GOAL = 0.9

/** What is done with a client, and how many bytes that moves. */
interface Task {
  readonly name: string
  readonly bytes: number
  run(client: ObjectClient): Promise<unknown>
}

function tasksOf(small: number, large: Uint8Array): readonly Task[] {
  const tiny = large.subarray(0, 4096)
  const medium = large.subarray(0, 8 * MIB - 1)
  return [
    {
      name: 'put of 4 KiB',
      bytes: small * tiny.length,
      async run(client) {
        for (let i = 0; i < small; i++) await client.put(`small/${i}`, tiny)
      },
    },
    { name: 'put of 8 MiB', bytes: medium.length, run: (client) => client.put('medium', medium) },
    { name: 'get of 64 MiB', bytes: large.length, run: (client) => client.read('large') },
  ]
}

/** As many rounds as take so long, but no fewer and no more than these. */
interface Rounds {
  readonly seconds: number
  readonly least: number
  readonly most: number
}

/** Wall time of each, in turns; the medians of milliseconds. */
async function race(task: Task, { driver, plain }: Contest, rounds: Rounds): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []]
  const clients = [driver, plain]
  let until = Number.POSITIVE_INFINITY
  for (let round = 0; round <= rounds.most; round++) {
    if (round === 1) until = performance.now() + rounds.seconds * 1000
    if (round > rounds.least && performance.now() > until) break
    for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const started = performance.now()
      await task.run(clients[which]!)
      // The first round compiles.
      if (round > 0) times[which]!.push(performance.now() - started)
    }
  }
  return [median(times[0]), median(times[1])]
}

const STARTUPS = [
  { name: '@sqlstream/storage-file', driver: 'fileDriver', url: 'file:///var/empty' },
  { name: '@sqlstream/storage-s3', driver: 's3Driver', url: 's3://bucket/app?endpoint=http://127.0.0.1:9' },
  { name: '@sqlstream/storage-gcs', driver: 'gcsDriver', url: 'gs://bucket/app?endpoint=http://127.0.0.1:9' },
  {
    name: '@sqlstream/storage-azure',
    driver: 'azureDriver',
    url: 'abs://account@container/app?endpoint=http://127.0.0.1:9/account',
  },
] as const

/** Opening a store in a fresh process, median of several. */
async function startups(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const startup of STARTUPS) {
    const milliseconds: number[] = []
    const bytes: number[] = []
    for (let round = 0; round < rounds; round++) {
      await using child = new Child<{ milliseconds: number; bytes: number }>('driver-startup-main', startup)
      const reply = await child.receive()
      milliseconds.push(reply.milliseconds)
      bytes.push(reply.bytes)
    }
    const { name } = startup
    figures.push({ name: `${name}: load and open`, value: median(milliseconds), unit: 'ms' })
    figures.push({ name: `${name}: memory of that`, value: median(bytes) / 1e6, unit: 'MB' })
  }
  return figures
}

/** Storage drivers against their SDKs. */
export const storage: Benchmark = {
  title: 'Storage drivers',
  description:
    'Each driver and plain calls of its SDK, at the same emulator on this machine (our S3 and GCS in memory, Azurite), in turns, for six seconds or at least nine rounds; wall time, medians. Ratios are of speed, to the SDK. The emulators take part of the time of both, so the driver’s own cost weighs more than the ratio shows.',
  async run({ size, say }) {
    const rounds = {
      full: { seconds: 6, least: 9, most: 301 },
      quick: { seconds: 1, least: 3, most: 51 },
      tiny: { seconds: 0, least: 1, most: 1 },
    }[size]
    const large = new Uint8Array({ full: 64, quick: 16, tiny: 9 }[size] * MIB)
    for (let i = 0; i < large.length; i += 7) large[i] = i
    const figures: Figure[] = await startups({ full: 9, quick: 3, tiny: 1 }[size])
    await using child = new Child<ObjectServers>('object-servers-main', {})
    for (const contest of await contests(await child.receive())) {
      say(contest.name)
      await contest.driver.put('large', large)
      for (const task of tasksOf({ full: 200, quick: 50, tiny: 3 }[size], large)) {
        const [ours, theirs] = await race(task, contest, rounds)
        const ratio = theirs / ours
        const value = rate(task.bytes, ours)
        figures.push({
          name: `${contest.name}: ${task.name}`,
          value,
          unit: 'MB/s',
          ratio,
          than: 'the SDK',
          ...atLeast(ratio, GOAL, '×'),
        })
      }
      await contest.close()
    }
    return {
      figures,
      notes: [
        'Memory of an upload of 1 GB: a test of each driver holds it under 100 MB of growth.',
        'A MaxListenersExceededWarning on the way is that of Google’s SDK: its streams of downloads (teeny-request) gather listeners. Our driver for GCS sends its own requests.',
      ],
    }
  },
}
