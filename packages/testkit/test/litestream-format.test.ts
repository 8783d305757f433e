import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type ByteStream,
  Decoder,
  decodeHeader,
  Encoder,
  formatFilename,
  mergeFiles,
  toTXID,
} from '@sqlstream/ltx'
import { describe, expect, it } from 'vitest'
import { goldenFolderOrReason, loadGolden, peerOrReason, runProgram, TempFolder } from '../src/index.ts'
import { ReplicaBuilder, writeReplicaFile } from './replica-builder.ts'

const vfs = await peerOrReason('litestream-vfs')
const cli = await peerOrReason('litestream-cli')
const golden = goldenFolderOrReason()

const fill = `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200)
  INSERT INTO t(b, c) SELECT 'row ' || i, randomblob(i) FROM c`
const story = [
  'CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB); CREATE INDEX t_b ON t(b)',
  fill,
  "UPDATE t SET b = upper(b) WHERE a % 7 = 0; CREATE TABLE u(x); INSERT INTO u VALUES('ünïcode'), (1.5), (NULL)",
  'DELETE FROM t WHERE a % 3 <> 0; VACUUM',
  fill,
]

type PageSize = ConstructorParameters<typeof ReplicaBuilder>[2]

function build(folder: TempFolder, pageSize: PageSize = 4096): { builder: ReplicaBuilder; url: string } {
  const builder = new ReplicaBuilder(folder.join('app.db'), folder.join('replica'), pageSize)
  for (const sql of story) builder.commit(sql)
  builder.db.close()
  return { builder, url: pathToFileURL(builder.folder).href }
}

async function* stream(bytes: Uint8Array): ByteStream {
  yield bytes
}

async function collect(source: ByteStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part.slice())
  return Buffer.concat(parts)
}

async function dumpFile(database: string): Promise<string> {
  return (await runProgram('/usr/bin/sqlite3', [database, '.dump'])).stdout
}

describe('files with our chain proof, a first snapshot 1-1 at level 9 and level 0 from transaction 2', () => {
  it.for([512, 1024, 4096, 65536] as const)(
    'are opened by the Litestream VFS at the head and at each earlier instant (pages of %i bytes)',
    async (pageSize, context) => {
      if ('reason' in vfs) return context.skip(vfs.reason)
      using folder = new TempFolder('format')
      const { builder, url } = build(folder, pageSize)
      expect(decodeHeader(readFileSync(builder.states[1]!.file)).proof).toBeDefined()
      expect(await vfs.query(url, ['PRAGMA integrity_check;', 'SELECT litestream_txid();'])).toBe(
        'ok\n0000000000000005\n',
      )
      for (const { timestamp, dump } of builder.states) {
        expect(await vfs.dump(url, { at: new Date(timestamp + 1) })).toBe(dump)
      }
    },
  )

  it('are hydrated by the Litestream VFS into the same bytes', async (context) => {
    if ('reason' in vfs) return context.skip(vfs.reason)
    using folder = new TempFolder('format')
    const { builder, url } = build(folder)
    const hydrateInto = folder.join('hydrated.db')
    const last = builder.states.at(-1)!
    expect(await vfs.dump(url, { hydrateInto })).toBe(last.dump)
    expect(Buffer.compare(readFileSync(hydrateInto), last.image)).toBe(0)
  })

  it('are restored by the Litestream program, newest, by TXID and by time, into the same bytes', async (context) => {
    if ('reason' in cli) return context.skip(cli.reason)
    using folder = new TempFolder('format')
    const { builder, url } = build(folder)
    await cli.restore(url, folder.join('newest.db'))
    expect(Buffer.compare(readFileSync(folder.join('newest.db')), builder.states.at(-1)!.image)).toBe(0)
    for (const { txid, timestamp, image } of builder.states) {
      const byTXID = folder.join(`${txid}.db`)
      const byTime = folder.join(`${txid}-time.db`)
      await cli.restore(url, byTXID, { txid: txid.toString(16).padStart(16, '0') })
      expect(Buffer.compare(readFileSync(byTXID), image)).toBe(0)
      // The program refuses an instant after the newest file.
      if (txid === builder.states.length) continue
      await cli.restore(url, byTime, { timestamp: new Date(timestamp + 1) })
      expect(Buffer.compare(readFileSync(byTime), image)).toBe(0)
    }
  })

  it('are accepted after our merge, at a higher level and as a newer snapshot', async (context) => {
    if ('reason' in vfs || 'reason' in cli) {
      return context.skip([vfs, cli].flatMap((peer) => ('reason' in peer ? [peer.reason] : [])).join('; '))
    }
    using folder = new TempFolder('format')
    const { builder } = build(folder)
    const files = builder.states.map(({ file }) => readFileSync(file))
    const last = builder.states.at(-1)!
    for (const [level, from, to] of [
      [1, 2, 5],
      [9, 1, 5],
    ] as const) {
      const merged = await collect(mergeFiles(files.slice(from - 1, to).map(stream)))
      const replica = folder.join(`merged${level}`)
      const name = formatFilename({ minTXID: toTXID(from), maxTXID: toTXID(to) })
      writeReplicaFile(replica, level, name, [merged], last.timestamp)
      const first = builder.states[0]!
      if (from !== 1) writeReplicaFile(replica, 9, basename(first.file), [files[0]!], first.timestamp)
      const url = pathToFileURL(replica).href
      expect(await vfs.dump(url)).toBe(last.dump)
      await cli.restore(url, folder.join(`merged${level}.db`))
      expect(Buffer.compare(readFileSync(folder.join(`merged${level}.db`)), last.image)).toBe(0)
    }
  })
})

describe('golden files of Litestream, decoded and encoded again by us', () => {
  it('restore to the same content at each transaction', async (context) => {
    if ('reason' in golden || 'reason' in cli) {
      return context.skip([golden, cli].flatMap((need) => ('reason' in need ? [need.reason] : [])).join('; '))
    }
    using folder = new TempFolder('format')
    const set = loadGolden(golden.folder, 'l0-plain')
    set.copyReplica(folder.join('theirs'))
    const level0 = folder.join('theirs', 'ltx', '0')
    for (const name of readdirSync(level0)) {
      const decoder = await Decoder.open(stream(readFileSync(join(level0, name))))
      const encoder = new Encoder(decoder.header)
      const parts = [encoder.start().slice()]
      for await (const page of decoder) parts.push(encoder.page(page).slice())
      await decoder.finish()
      parts.push(encoder.finish().slice())
      writeReplicaFile(folder.join('ours'), 0, name, parts, decoder.header.timestamp)
    }
    const url = pathToFileURL(folder.join('ours')).href
    for (const transaction of set.transactions) {
      const output = folder.join(`${transaction.txid}.db`)
      await cli.restore(url, output, { txid: transaction.txid })
      expect(await dumpFile(output)).toBe(set.dump(transaction))
    }
  })
})
