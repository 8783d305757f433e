import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHeader, createKernel, Decoder, Encoder, type Pgno } from '@sqlstream/ltx'
import { assumeSoleWriter, type LTXFile, Replica, runMerge } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { type LitestreamCLI, peerOrReason } from '@sqlstream/testkit'
import { Application } from './application.ts'
import { atLeast, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { type LitestreamPlace, litestreamCaptures, litestreamMerge } from './litestream-merge.ts'
import { PAGE_SIZE } from './page-codec.ts'
import { median, rate } from './statistics.ts'

const MIB = 2 ** 20
const GOAL = 4
const WARM_UP = 10
/** Of ours: Litestream, where it takes part, has what it wrote in level 1. */
const OUTPUT_LEVEL = 2

/** As a primary keeps the captures that it has just uploaded, the newest ones. */
const LARGEST_KEPT = 256 * 1024
const MOST_KEPT = 8 * MIB

/** What the files of level 0 are captures of. */
interface History {
  readonly name: string
  readonly captureEveryMs: number
  /** How many captures there are at least. */
  readonly captures: number
  write(application: Application): Promise<unknown>
}

function historiesOf(size: BenchmarkContext['size']): readonly History[] {
  const captures = { full: 200, quick: 50, tiny: 4 }[size]
  const large = { full: 8, quick: 3, tiny: 1 }[size]
  const bytes = { full: 16 * MIB, quick: 8 * MIB, tiny: MIB }[size]
  return [
    {
      name: 'many tiny files',
      captureEveryMs: 20,
      captures,
      write: (application) => application.write({ seconds: 0.01, rate: 1000 }),
    },
    {
      // As of a second with 500 transactions.
      name: 'many small files',
      captureEveryMs: 50,
      captures,
      write: (application) => application.backlog(2 * MIB, false),
    },
    {
      name: 'few large files',
      captureEveryMs: 500,
      captures: large,
      write: (application) => application.backlog(bytes, true),
    },
  ]
}

/** Writes until there are enough captures: each waits until the one before is there. */
async function writeHistory(history: History, application: Application, files: () => number): Promise<void> {
  const enough = files() + history.captures
  while (files() < enough) {
    const before = files()
    await history.write(application)
    while (files() === before) await sleep(history.captureEveryMs / 4)
  }
}

async function ownCaptures(place: LitestreamPlace, history: History, application: Application) {
  let captures = 0
  const primary = await Primary.open({
    database: place.database,
    replica: new Replica(new FileStore(place.replica)),
    syncIntervalMs: place.captureEveryMs,
    onEvent: ({ type }) => {
      if (type === 'captured') captures++
    },
  })
  await writeHistory(history, application, () => captures)
  await primary.close()
}

/** What the primary that made these files has in memory of them when it merges them. */
function kept(folder: string, files: readonly LTXFile[]): Map<string, Uint8Array> {
  const bytes = new Map<string, Uint8Array>()
  let size = 0
  for (const file of files.toReversed()) {
    if (file.size > LARGEST_KEPT) continue
    size += file.size
    if (size > MOST_KEPT) break
    bytes.set(file.key, new Uint8Array(readFileSync(join(folder, file.key))))
  }
  return bytes
}

/**
 * A merge as it is without copying frames: pages are decoded, the newest copy of each is kept and encoded again. Everything is
 * verified, the result synced.
 */
async function recode(replica: Replica, inputs: readonly LTXFile[], output: string): Promise<void> {
  const kernel = createKernel({ pageSize: PAGE_SIZE })
  const newest = new Map<Pgno, Buffer>()
  let commit = 0
  for (const file of inputs) {
    const decoder = await Decoder.open(replica.open(file), { kernel })
    commit = decoder.header.commit
    for await (const { count, pgnos, data } of decoder.batches()) {
      for (let i = 0; i < count; i++) {
        newest.set(pgnos[i]!, Buffer.from(data.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE)))
      }
    }
    await decoder.finish()
  }
  const range = { minTXID: inputs[0]!.minTXID, maxTXID: inputs.at(-1)!.maxTXID }
  const header = createHeader({ ...range, pageSize: PAGE_SIZE, commit, timestamp: 0 })
  const encoder = new Encoder(header, { kernel })
  const fd = openSync(output, 'w')
  writeSync(fd, encoder.start())
  const pgnos = [...newest.keys()].sort((a, b) => a - b)
  for (let from = 0; from < pgnos.length; from += kernel.capacity) {
    const some = pgnos.slice(from, from + kernel.capacity)
    for (const [i, pgno] of some.entries()) {
      kernel.pages.set(newest.get(pgno)!, i * PAGE_SIZE)
      kernel.pgnos[i] = pgno
    }
    writeSync(fd, encoder.encode(some.length))
  }
  writeSync(fd, encoder.finish())
  fsyncSync(fd)
  closeSync(fd)
}

/** What others have left unsynced is not waited for by whoever is timed next. */
function syncDisk(): void {
  execFileSync('sync')
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

interface Measured {
  readonly figures: readonly Figure[]
  readonly note: string
}

async function measure(
  context: BenchmarkContext,
  history: History,
  cli: LitestreamCLI | undefined,
): Promise<Measured> {
  const rounds = { full: 7, quick: 3, tiny: 1 }[context.size]
  const folder = join(context.folder, history.name.replaceAll(' ', '-'))
  const database = `${folder}.db`
  const place = { database, replica: folder, captureEveryMs: history.captureEveryMs }
  const replica = new Replica(new FileStore(folder))
  const writer = replica.writer(assumeSoleWriter('bench'))
  // It stays open: if the WAL went with the last connection, Litestream would take the whole database anew.
  await using application = await Application.start({ database })
  await application.commit()
  context.say(`${history.name}: captures`)
  if (cli === undefined) await ownCaptures(place, history, application)
  else await litestreamCaptures(cli, place, (files) => writeHistory(history, application, files))
  // A level is not empty again and again.
  await replica.store.put(`ltx/${OUTPUT_LEVEL}/other`, new Uint8Array(1))
  const ours: number[] = []
  const primary: number[] = []
  const recoded: number[] = []
  const theirs: number[] = []
  let inputs: readonly LTXFile[] = []
  let bytes = 0
  let outputBytes = 0
  let fromMemory = 0
  for (let round = 0; round < rounds + 1; round++) {
    context.say(`${history.name}: round ${round} of ${rounds}`)
    syncDisk()
    const merged = cli && (await litestreamMerge(cli, place))
    const level0 = (await replica.catalog()).levels.get(0) ?? []
    inputs = level0.filter(({ maxTXID }) => merged === undefined || maxTXID <= merged.maxTXID)
    bytes = inputs.reduce((sum, { size }) => sum + size, 0)
    const inMemory = kept(folder, inputs)
    fromMemory = inMemory.size
    const mergeOnce = async (local?: (file: LTXFile) => Uint8Array | undefined): Promise<number> => {
      let output: LTXFile | undefined
      const milliseconds = await timed(async () => {
        output = await runMerge(replica, writer, { level: OUTPUT_LEVEL, inputs }, { local })
      })
      await writer.remove([output!])
      outputBytes = output!.size
      return milliseconds
    }
    const recodeOnce = async (): Promise<number> => {
      const output = `${folder}.recoded`
      const milliseconds = await timed(() => recode(replica, inputs, output))
      rmSync(output)
      return milliseconds
    }
    if (round === 0) {
      // Compiles what a replicator that has run for a while has compiled.
      for (let i = 0; i < WARM_UP; i++) {
        await mergeOnce()
        await mergeOnce(({ key }) => inMemory.get(key))
        await recodeOnce()
      }
      continue
    }
    syncDisk()
    const own = await mergeOnce()
    syncDisk()
    const byPrimary = await mergeOnce(({ key }) => inMemory.get(key))
    syncDisk()
    const again = await recodeOnce()
    ours.push(rate(bytes, own))
    primary.push(rate(bytes, byPrimary))
    recoded.push(rate(bytes, again))
    if (merged) theirs.push(rate(bytes, merged.milliseconds))
  }
  await application.close()
  const figureOf = (who: string, sample: readonly number[]): Figure => ({
    name: `${history.name}: ${who}`,
    value: median(sample),
    unit: 'MB/s',
  })
  const others = cli === undefined ? recoded : theirs
  const than = cli === undefined ? 'decoding and encoding every page' : 'Litestream'
  const compared = (who: string, sample: readonly number[]): Figure => {
    const ratio = median(sample.map((value, round) => value / others[round]!))
    return { ...figureOf(who, sample), ratio, than, ...atLeast(ratio, GOAL, '×') }
  }
  const figures = [
    compared('merge', ours),
    ...(fromMemory * 2 < inputs.length ? [] : [compared('merge by the primary', primary)]),
    ...(cli === undefined ? [] : [figureOf('merge by Litestream', theirs)]),
    figureOf('decoding and encoding every page', recoded),
  ]
  const note = `${history.name}: ${inputs.length} files of ${(bytes / 1e6).toFixed(1)} MB became one of ${(outputBytes / 1e6).toFixed(1)} MB.`
  return { figures, note }
}

/** Files of level 0 to one of the next level. */
export const merge: Benchmark = {
  title: 'Merges',
  description:
    'Captures of an application that writes, in a folder, merged into one file of the next level, every checksum verified, the result synced. Bytes of the inputs in a second of wall time; medians. Read from the folder, as after a start or by another process; and by the primary that captured them, which has the newest 8 MiB of small ones in memory. Litestream merges the same files, which it captured, by `litestream replicate` as it starts; its time counts from its first reading of an input, when all are open already, to the end. Both sync the file and its folder, and begin when the disk has nothing else to write. Beside it: a merge in this process that decodes every page and encodes the newest copies again, as Litestream does.',
  async run(context) {
    const peer = await peerOrReason('litestream-cli')
    const cli = 'reason' in peer ? undefined : peer
    const figures: Figure[] = []
    const notes: string[] = 'reason' in peer ? [peer.reason] : []
    for (const history of historiesOf(context.size)) {
      const measured = await measure(context, history, cli)
      figures.push(...measured.figures)
      notes.push(measured.note)
    }
    return { figures, notes }
  },
}
