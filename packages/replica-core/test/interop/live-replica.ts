import { pathToFileURL } from 'node:url'
import { formatTXID, parseTXID } from '@sqlstream/ltx'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import { runProgram, type TempFolder, type WriterMix, WriterProcess } from '@sqlstream/testkit'
import { Primary, type PrimaryOptions } from '../../src/index.ts'

/** A moment at which nobody wrote, and what the database held then. */
export interface Milestone {
  /** 16 hex digits. */
  readonly txid: string
  /** Of the file that ends at `txid`, from its header. */
  readonly timestamp: Date
  /** As Debian's sqlite3 prints it from the live database. */
  readonly dump: string
}

/** A replica that our primary made of a database while an application wrote to it. */
export interface LiveReplica {
  readonly replica: Replica
  readonly database: string
  /** Of the replica's folder, for the peer. */
  readonly url: string
  readonly milestones: readonly Milestone[]
}

const busy: Partial<WriterMix> = {
  insert: 0.4,
  update: 0.2,
  delete: 0.1,
  largeRow: 0.02,
  spill: 0.01,
  rollback: 0.01,
  schema: 0.03,
  vacuum: 0.01,
  checkpointPassive: 0.02,
  checkpointTruncate: 0.005,
}

/** The SQL text of a database, read by another process and another SQLite than ours. */
export async function dumpOf(database: string): Promise<string> {
  return (await runProgram('/usr/bin/sqlite3', ['-cmd', '.timeout 5000', database, '.dump'])).stdout
}

/** Lets an application write in several bouts under a running primary, with a milestone after each. */
export async function makeLiveReplica(
  folder: TempFolder,
  options: {
    readonly bouts?: number
    readonly pageSize?: number
    readonly primary?: Partial<PrimaryOptions>
  } = {},
): Promise<LiveReplica> {
  const { bouts = 3, pageSize = 4096 } = options
  const database = folder.join('app.db')
  const writing = { database, commitLog: folder.join('commits'), pageSize, mix: busy }
  const replica = new Replica(new FileStore(folder.join('replica')))
  await (await WriterProcess.start({ ...writing, commits: 1 })).finished()
  const primary = await Primary.open({ database, replica, checkpointFrames: 200, ...options.primary })
  const milestones: Milestone[] = []
  try {
    for (let bout = 0; bout < bouts; bout++) {
      await (await WriterProcess.start({ ...writing, seed: bout, rate: 400, commits: 150 })).finished()
      const { txid } = await primary.durable()
      const catalog = await replica.catalog()
      const last = [...catalog.levels.values()].flat().find((file) => file.maxTXID === txid)!
      const timestamp = new Date((await replica.header(last)).timestamp)
      milestones.push({ txid: formatTXID(txid), timestamp, dump: await dumpOf(database) })
      // The peer tells files apart by milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  } finally {
    await primary.close()
  }
  return { replica, database, url: pathToFileURL(folder.join('replica')).href, milestones }
}

/** Restores a replica with our own code; newest state unless a TXID is given. */
export async function restoreOurs(replica: Replica, output: string, txid?: string): Promise<void> {
  const target =
    txid === undefined ? ({ kind: 'latest' } as const) : ({ kind: 'txid', txid: parseTXID(txid) } as const)
  await restore(replica, planRestore(await replica.catalog(), target), fileSink(output))
}
