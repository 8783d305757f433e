// The program behind databaseImage(): arguments are the database and the output file; prints a DatabaseImage.
import { copyFileSync, readFileSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import {
  decodeDatabaseHeader,
  decodeWALIndexHeader,
  type RandomAccessFile,
  type WALIndexHeader,
  WALReader,
} from '@sqlstream/wal'
import type { DatabaseImage } from './database-image.ts'

const [database = '', output = ''] = process.argv.slice(2)

/** A wal-index header that is not just being written; undefined without a -shm file. */
function walIndex(): WALIndexHeader | undefined {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(`${database}-shm`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return bytes.length === 0 ? undefined : decodeWALIndexHeader(bytes)
}

async function handleFile(handle: FileHandle): Promise<RandomAccessFile> {
  const { size } = await handle.stat()
  return {
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length)
      const { bytesRead } = await handle.read(bytes, 0, length, offset)
      return bytes.subarray(0, bytesRead)
    },
  }
}

/** Whether the database file cannot have changed under the copy in a way the overlay does not cover. */
function isUndisturbed(before: WALIndexHeader | undefined, after: WALIndexHeader | undefined): boolean {
  if (before === undefined || after === undefined) return before === after
  return (
    before.salt1 === after.salt1 && before.salt2 === after.salt2 && after.backfillAttempted <= before.mxFrame
  )
}

/** Writes the committed frames over the copy. Returns the size after the last commit, if there was one. */
async function overlayFrames(
  target: FileHandle,
  pageSize: number,
  maxFrame: number,
): Promise<number | undefined> {
  if (maxFrame === 0) return undefined
  await using wal = await open(`${database}-wal`)
  const file = await handleFile(wal)
  const newest = new Map<number, number>()
  let commit: number | undefined
  for await (const transaction of await WALReader.open(file, undefined, { maxFrame })) {
    commit = transaction.commit
    for (const [pgno, offset] of transaction.pages) newest.set(pgno, offset)
  }
  if (commit === undefined) return undefined
  for (const [pgno, offset] of newest) {
    if (pgno > commit) continue
    await target.write(await file.read(offset, pageSize), 0, pageSize, (pgno - 1) * pageSize)
  }
  await target.truncate(commit * pageSize)
  return commit
}

async function attempt(): Promise<DatabaseImage | undefined> {
  const before = walIndex()
  copyFileSync(database, output)
  await using target = await open(output, 'r+')
  const header = new Uint8Array(100)
  await target.read(header, 0, 100, 0)
  const { pageSize } = decodeDatabaseHeader(header)
  // Without a -shm file nobody has the database open, and a WAL that is left over counts to its end.
  const hasWal =
    before !== undefined || (statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 32
  const mxFrame = before?.mxFrame ?? (hasWal ? Number.POSITIVE_INFINITY : 0)
  const commit = await overlayFrames(target, pageSize, mxFrame)
  if (!isUndisturbed(before, walIndex())) return undefined
  const pageCount = commit ?? (await target.stat()).size / pageSize
  return { path: output, pageSize, pageCount, mxFrame: Number.isFinite(mxFrame) ? mxFrame : -1 }
}

const until = performance.now() + 10_000
for (;;) {
  let image: DatabaseImage | undefined
  let failure: unknown
  try {
    image = await attempt()
  } catch (error) {
    // The files may vanish or be replaced at any moment when a checkpoint or the last close comes in between.
    failure = error
  }
  if (image !== undefined) {
    console.log(JSON.stringify(image))
    break
  }
  if (performance.now() > until)
    throw new Error(`${database} did not stand still long enough`, { cause: failure })
  await new Promise((resolve) => setTimeout(resolve, 20))
}
