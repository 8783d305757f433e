import { compareImages, peerOrReason, TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { makeLiveReplica, restoreOurs } from './live-replica.ts'

const vfs = await peerOrReason('litestream-vfs')
const cli = await peerOrReason('litestream-cli')

describe('a replica that we made of a live database', () => {
  it.for([512, 4096, 65536])(
    'is opened by the Litestream VFS, newest and at earlier instants (pages of %i bytes)',
    async (pageSize, context) => {
      if ('reason' in vfs) return context.skip(vfs.reason)
      using folder = new TempFolder('interop')
      const { url, milestones } = await makeLiveReplica(folder, { pageSize })
      const last = milestones.at(-1)!
      expect(await vfs.query(url, ['PRAGMA integrity_check;', 'SELECT litestream_txid();'])).toBe(
        `ok\n${last.txid}\n`,
      )
      expect(await vfs.dump(url)).toBe(last.dump)
      for (const { timestamp, dump } of milestones) {
        const at = new Date(timestamp.getTime() + 1)
        expect(await vfs.dump(url, { at })).toBe(dump)
        expect(await vfs.query(url, ['PRAGMA integrity_check;'], { at })).toBe('ok\n')
      }
    },
  )

  it('is hydrated by the Litestream VFS into the file that we restore', async (context) => {
    if ('reason' in vfs) return context.skip(vfs.reason)
    using folder = new TempFolder('interop')
    const { url, replica, milestones } = await makeLiveReplica(folder)
    const hydrateInto = folder.join('hydrated.db')
    expect(await vfs.dump(url, { hydrateInto })).toBe(milestones.at(-1)!.dump)
    await restoreOurs(replica, folder.join('ours.db'))
    expect(compareImages(hydrateInto, folder.join('ours.db'))).toMatchObject({ equal: true })
  })

  it('is restored by the Litestream program into the file that we restore, newest, by TXID and by time', async (context) => {
    if ('reason' in cli) return context.skip(cli.reason)
    using folder = new TempFolder('interop')
    const { url, replica, milestones } = await makeLiveReplica(folder)
    await cli.restore(url, folder.join('newest.db'))
    await restoreOurs(replica, folder.join('ours.db'))
    expect(compareImages(folder.join('newest.db'), folder.join('ours.db'))).toMatchObject({ equal: true })
    for (const { txid, timestamp } of milestones) {
      const ours = folder.join(`${txid}-ours.db`)
      await restoreOurs(replica, ours, txid)
      await cli.restore(url, folder.join(`${txid}.db`), { txid })
      expect(compareImages(folder.join(`${txid}.db`), ours)).toMatchObject({ equal: true })
      // The program refuses an instant after the newest file.
      if (txid === milestones.at(-1)!.txid) continue
      await cli.restore(url, folder.join(`${txid}-time.db`), { timestamp: new Date(timestamp.getTime() + 1) })
      expect(compareImages(folder.join(`${txid}-time.db`), ours)).toMatchObject({ equal: true })
    }
  })
})
