import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { goldenFolderOrReason, loadGolden, TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { openFollower } from '../src/index.ts'
import { comparable } from './support/history.ts'

const golden = goldenFolderOrReason()

test.each(['l0-plain', 'l0-shrink'] as const)(
  'the replica %s of Litestream, capture by capture: each state is that of its transaction, holes are zeros',
  async (name, context?: unknown) => {
    void context
    if ('reason' in golden) return
    const set = loadGolden(golden.folder, name)
    using folder = new TempFolder('golden')
    const file = folder.join('copy.db')
    const replica = new Replica(new FileStore(folder.join('replica')))
    let follower: Awaited<ReturnType<typeof openFollower>> | undefined
    try {
      for (const transaction of set.transactions) {
        const { path } = set.files.find(({ path }) => path.endsWith(`-${transaction.txid}.ltx`)) as {
          path: string
        }
        const target = folder.join('replica', path)
        mkdirSync(dirname(target), { recursive: true })
        copyFileSync(join(set.folder, 'replica', path), target)
        follower ??= await openFollower({ replica, file, poll: false })
        await follower.catchUp()
        expect(follower.status.pos.txid).toBe(BigInt(`0x${transaction.txid}`))
        const { pageSize, commit } = transaction
        expect(readFileSync(file).length).toBe(commit * pageSize)
        expect(sha256(original(file))).toBe(transaction.imageSha256)
        if (!transaction.integrityOk) continue
        const db = new Database(file, { readonly: true })
        expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
        db.close()
      }
    } finally {
      await follower?.close()
    }

    /** The copy with page 1 as its writer had it. */
    function original(path: string): Buffer {
      const { pageOne } = (follower as NonNullable<typeof follower>).head()
      return comparable(path, Buffer.from(pageOne))
    }
  },
)

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
