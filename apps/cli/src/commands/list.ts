import { Args, Flags } from '@oclif/core'
import { formatTXID, type TXID } from '@sqlstream/ltx'
import {
  type Catalog,
  headOf,
  type Replica,
  type RestorePoint,
  restorablePoints,
  withPointTimes,
} from '@sqlstream/replica'
import { BaseCommand } from '../base-command.ts'
import { granularity } from '../granularity.ts'
import { lastProof } from '../last-proof.ts'
import { allFiles, openReplica, readCatalog } from '../open-replica.ts'
import { listText, pointJSON } from '../output/replica-list.ts'
import type { ReplicaListJSON } from '../replica-schema.ts'

const NEWEST = 20

export default class List extends BaseCommand {
  static override summary = 'Show what a replica holds and what can be restored from it.'
  static override description =
    'By default one listing, the headers of the oldest and the newest state, whose replica it is, and which state was proven last. --points adds the newest states one by one and how dense older ones are, by the times at which the store received the files; --all reads the header of every state, a request each.'
  static override examples = [
    { description: 'What is there?', command: '<%= config.bin %> list s3://bucket/app' },
    {
      description: 'To which instants can it be restored?',
      command: '<%= config.bin %> list s3://bucket/app --points',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    points: Flags.boolean({
      default: false,
      description: `show the ${NEWEST} newest restorable states, and how dense the others are`,
    }),
    all: Flags.boolean({
      default: false,
      description: 'show every restorable state with its own time; a request for each',
    }),
  }

  async run(): Promise<ReplicaListJSON> {
    const { args, flags } = await this.parse(List)
    const { signal } = this
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    const { replica } = named
    const catalog = await readCatalog(named, { signal })
    const identity = await replica.identity({ signal })
    const proof = await lastProof(named.store, { signal })
    const shown = flags.all ? Number.POSITIVE_INFINITY : flags.points ? NEWEST : 1
    const points = await this.#points(replica, catalog, shown)
    const oldest = points[0]
    const newest = points.at(-1)
    const files = allFiles(catalog)
    const result: ReplicaListJSON = {
      source: named.location.display,
      ...(identity && { databaseId: identity.databaseId, created: identity.created }),
      head: formatTXID(headOf(catalog) as TXID),
      files: files.length,
      bytes: sizeOf(files),
      levels: [...catalog.levels].map(([level, files]) => ({
        level,
        files: files.length,
        bytes: sizeOf(files),
      })),
      ...(oldest && newest
        ? { restorable: { states: points.length, oldest: pointJSON(oldest), newest: pointJSON(newest) } }
        : {}),
      ...(proof && { proof }),
      ...(flags.points || flags.all
        ? {
            points: {
              exact: shown >= points.length,
              ages: granularity(points, new Date()),
              newest: points.slice(-shown).toReversed().map(pointJSON),
            },
          }
        : {}),
    }
    this.log(listText(result))
    return result
  }

  /** Every restorable state; the oldest and so many of the newest with their own times. */
  async #points(replica: Replica, catalog: Catalog, newest: number): Promise<RestorePoint[]> {
    const all = restorablePoints(catalog)
    const wanted = new Set([...all.slice(0, 1), ...all.slice(-newest)].map(({ txid }) => txid))
    const progress = this.progress('reading times')
    progress.step(`${wanted.size} states`)
    try {
      return restorablePoints(await withPointTimes(replica, catalog, wanted, { signal: this.signal }))
    } finally {
      progress.end()
    }
  }
}

function sizeOf(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
