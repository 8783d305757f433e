import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseFilename } from '@sqlstream/ltx'
import type { LitestreamCLI } from '@sqlstream/testkit'

const POLL_MS = 20
const LIMIT_MS = 60_000

/** What Litestream is told to do. */
export interface LitestreamPlace {
  readonly database: string
  readonly replica: string
  /** How often it looks for new transactions. */
  readonly captureEveryMs: number
}

/** A merge that Litestream did. */
export interface LitestreamMerge {
  readonly milliseconds: number
  readonly minTXID: bigint
  readonly maxTXID: bigint
  readonly bytes: number
}

function configOf({ database, replica, captureEveryMs }: LitestreamPlace): string {
  // A merge into level 1 as it starts, if there is none of this day, and then no other.
  return JSON.stringify({
    levels: [{ interval: '24h' }],
    'l0-retention': '24h',
    snapshot: { interval: '24h', retention: '720h' },
    dbs: [
      {
        path: database,
        'monitor-interval': `${captureEveryMs}ms`,
        replica: { type: 'file', path: replica, 'sync-interval': `${captureEveryMs}ms` },
      },
    ],
  })
}

/** Lets Litestream capture what `work` writes; the files of level 0 stay. */
export async function litestreamCaptures(
  cli: LitestreamCLI,
  place: LitestreamPlace,
  work: (files: () => number) => Promise<void>,
): Promise<void> {
  const config = `${place.replica}.yml`
  writeFileSync(config, configOf(place))
  const replication = await cli.replicateConfigured(config)
  try {
    await work(() => namesIn(place.replica, 0).length)
  } finally {
    await replication.kill()
  }
}

/**
 * Starts Litestream, which merges level 0 into level 1 at once, and stops it. The time is from its first reading of the first input, when
 * all are open, to its last change of the result, when that and its name are synced. It reads its own copies of what it captured.
 */
export async function litestreamMerge(cli: LitestreamCLI, place: LitestreamPlace): Promise<LitestreamMerge> {
  const folder = join(place.replica, 'ltx', '1')
  rmSync(folder, { recursive: true, force: true })
  const own = join(dirname(place.database), `.${basename(place.database)}-litestream`, 'ltx', '0')
  const first = join(own, readdirSync(own).sort()[0]!)
  // The system notes when a file is read if that was not noted since it was changed.
  utimesSync(first, 0, statSync(first).mtime)
  await using replication = await cli.replicateConfigured(`${place.replica}.yml`)
  const until = performance.now() + LIMIT_MS
  for (;;) {
    const [name] = namesIn(place.replica, 1)
    if (name !== undefined) {
      const { birthtimeMs, ctimeMs, size } = statSync(join(folder, name))
      // Where reading is not noted, its temporary file is made as soon as all headers are read.
      const start = statSync(first).atimeMs || birthtimeMs
      return { milliseconds: ctimeMs - start, bytes: size, ...parseFilename(name)! }
    }
    if (performance.now() > until) throw new Error(`Litestream merged nothing\n${replication.output}`)
    await sleep(POLL_MS)
  }
}

function namesIn(replica: string, level: number): string[] {
  const folder = join(replica, 'ltx', String(level))
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.ltx')) : []
}
