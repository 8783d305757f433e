import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Replica } from '@sqlstream/replica'
import { Primary, type PrimaryEvent } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { WAL_FRAME_HEADER_SIZE } from '@sqlstream/wal'
import { Application } from './application.ts'
import type { Benchmark, BenchmarkContext, Figure } from './benchmark.ts'
import { copyDatabase } from './generated-database.ts'
import { median, rate } from './statistics.ts'

const FRAME_SIZE = 4096 + WAL_FRAME_HEADER_SIZE
const CHUNK = new Uint8Array(4 << 20)

/** MB/s of reading a whole file, as capture does it: one thread, one buffer. */
function readRate(path: string): number {
  const fd = openSync(path, 'r')
  const started = performance.now()
  let bytes = 0
  for (let n = -1; n !== 0; bytes += n) n = readSync(fd, CHUNK, 0, CHUNK.length, bytes)
  const milliseconds = performance.now() - started
  const { size } = fstatSync(fd)
  closeSync(fd)
  if (bytes !== size) throw new Error(`${path} changed while it was read`)
  return rate(bytes, milliseconds)
}

/** Opens a primary, lets it do what its start asks for, and returns what it reported. */
async function replicateOnce(database: string, replica: string): Promise<PrimaryEvent[]> {
  const events: PrimaryEvent[] = []
  const primary = await Primary.open({
    database,
    replica: new Replica(new FileStore(replica)),
    // Nothing but the start: no capture on a timer, no checkpoint.
    syncIntervalMs: 3_600_000,
    checkpointFrames: 1_000_000_000,
    onEvent: (event) => events.push(event),
  })
  const report = await primary.close()
  const failed = events.find((event) => event.type === 'failed')
  if (failed !== undefined) throw failed.error
  if (report.pendingFiles > 0) throw new Error('something was not uploaded')
  return events
}

interface Sample {
  readonly ours: number
  readonly read: number
}

function figure(name: string, samples: readonly Sample[]): Figure {
  const value = median(samples.map((sample) => sample.ours))
  const ratio = median(samples.map((sample) => sample.ours / sample.read))
  return { name, value, unit: 'MB/s', ratio, than: 'reading the same file' }
}

/** A WAL that grew while nobody looked: the frames are captured at the next start. */
async function backlog(context: BenchmarkContext, name: string, distinctPages: boolean): Promise<Sample[]> {
  const rounds = { full: 5, quick: 2, tiny: 1 }[context.size]
  const bytes = { full: 64, quick: 64, tiny: 1 }[context.size] << 20
  const database = join(context.folder, `${name}.db`)
  const replica = join(context.folder, `${name}-replica`)
  // Without checkpoints the WAL is never restarted, so that each start finds what it knows, and the backlog behind it.
  await using application = await Application.start({ database, autoCheckpoint: 0 })
  await application.commit()
  await replicateOnce(database, replica)
  const samples: Sample[] = []
  let before = 0
  for (let round = 0; round <= rounds; round++) {
    await application.backlog(bytes, distinctPages)
    const events = await replicateOnce(database, replica)
    const captured = events.filter((event) => event.type === 'captured')
    const frame = captured.at(-1)?.wal.frame
    if (frame === undefined || events.some((event) => event.type === 'resynced')) {
      throw new Error('the backlog was not captured as frames of the WAL')
    }
    const milliseconds = captured.reduce((sum, event) => sum + event.milliseconds, 0)
    const ours = rate((frame - before) * FRAME_SIZE, milliseconds)
    // The first round warms the compiler up.
    if (round > 0) samples.push({ ours, read: readRate(`${database}-wal`) })
    before = frame
  }
  await application.close()
  return samples
}

/** A whole database, first as a snapshot, then compared with what is known of it. */
async function whole(context: BenchmarkContext): Promise<{ snapshot: Sample[]; resync: Sample[] }> {
  const rounds = { full: 3, quick: 2, tiny: 1 }[context.size]
  const bytes = { full: 512, quick: 64, tiny: 1 }[context.size] << 20
  const original = context.database(bytes)
  const snapshot: Sample[] = []
  const resync: Sample[] = []
  for (let round = 0; round < rounds; round++) {
    const database = join(context.folder, `whole-${round}.db`)
    const replica = join(context.folder, `whole-${round}-replica`)
    copyDatabase(original, database)
    const read = readRate(database)
    let started = performance.now()
    if (!(await replicateOnce(database, replica)).some((event) => event.type === 'snapshotted')) {
      throw new Error('no snapshot was taken')
    }
    snapshot.push({ ours: rate(bytes, performance.now() - started), read })
    // Nobody else has it open, so its WAL is gone now, and with it the proof that nothing happened since.
    await (await Application.start({ database })).close()
    started = performance.now()
    const events = await replicateOnce(database, replica)
    if (!events.some((event) => event.type === 'resynced')) throw new Error('nothing was compared')
    resync.push({ ours: rate(bytes, performance.now() - started), read })
  }
  return { snapshot, resync }
}

/** How fast changes and whole databases are read, compared, encoded and stored. */
export const capture: Benchmark = {
  title: 'Capture',
  description:
    'From the WAL or the database file to synced LTX files. Backlogs: bytes of WAL that waited, up to the spool. Snapshot and comparison: bytes of the database, from the start of the replicator to its end with everything in a file store. Medians.',
  async run(context) {
    context.say('backlogs')
    const distinct = await backlog(context, 'distinct', true)
    const repeated = await backlog(context, 'repeated', false)
    context.say('whole databases')
    const { snapshot, resync } = await whole(context)
    return {
      figures: [
        figure('a WAL backlog of 64 MiB, each page once', distinct),
        figure('a WAL backlog of 64 MiB, small transactions on few pages', repeated),
        figure('first snapshot of a database', snapshot),
        figure('comparison of an unchanged database after its WAL is gone', resync),
      ],
      notes: [],
    }
  },
}
