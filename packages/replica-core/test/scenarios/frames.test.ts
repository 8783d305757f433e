import { statSync, truncateSync } from 'node:fs'
import { createHeader, Encoder, mergeFiles, toTXID } from '@sqlstream/ltx'
import { describe, expect, it } from 'vitest'
import { collectBytes } from './support/bytes.ts'
import { flip, resalt, saltsOf } from './support/forge.ts'
import { addRows, Scene } from './support/scene.ts'

const FRAME = 4096 + 24

/** Offset of a frame (from 1) of a WAL with 4096-byte pages. */
function frameAt(frame: number): number {
  return 32 + (frame - 1) * FRAME
}

describe('growth', () => {
  it('T07: every page that a spilled transaction has added is in its file, checkpoint in between or not', async () => {
    await using scene = await Scene.begin({ pragmas: 'PRAGMA cache_size=5' })
    scene.app.open(scene.database, 'other')
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    const before = scene.app.value('PRAGMA page_count') as number
    scene.app.run(`PRAGMA cache_size=5; BEGIN; ${addRows(29, 3500)}`)
    expect(statSync(`${scene.database}-wal`).size).toBeGreaterThan(frameAt(10))
    await primary.sync()
    scene.app.query('PRAGMA wal_checkpoint(PASSIVE)', 'other')
    scene.app.run(`${addRows(1, 3500)}; COMMIT`)
    await primary.durable()
    const after = scene.app.value('PRAGMA page_count') as number
    expect(after).toBeGreaterThanOrEqual(before + 30)
    const { pgnos } = await scene.read((await scene.files()).at(-1)!)
    for (let pgno = before + 1; pgno <= after; pgno++) expect(pgnos).toContain(pgno)
    await scene.expectSamePages(['main', 'other'])
  })

  it('T07: pages that a transaction has added and freed again are in its file too', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    const before = scene.app.value('PRAGMA page_count') as number
    scene.app.run(
      `BEGIN; CREATE TABLE gone(v); INSERT INTO gone SELECT zeroblob(60000); DROP TABLE gone; ${addRows(1)}; COMMIT`,
    )
    await primary.durable()
    const after = scene.app.value('PRAGMA page_count') as number
    expect(after).toBeGreaterThan(before + 10)
    const { pgnos } = await scene.read((await scene.files()).at(-1)!)
    for (let pgno = before + 1; pgno <= after; pgno++) expect(pgnos).toContain(pgno)
    await scene.expectSamePages()
  })

  it('T07: neither the encoder nor the merger lets a hole pass', async () => {
    const page = (pgno: number) => ({ pgno, data: new Uint8Array(512).fill(pgno) })
    const header = (min: bigint, max: bigint, commit: number) =>
      createHeader({ pageSize: 512, commit, minTXID: toTXID(min), maxTXID: toTXID(max), timestamp: 1 })
    expect(() => {
      const encoder = new Encoder(header(2n, 2n, 4), { previousCommit: 2 })
      encoder.start()
      encoder.page(page(4))
      encoder.finish()
    }).toThrow(expect.objectContaining({ code: 'page-missing' }))
    // A file with a hole, as an encoder that does not know the size before would write it.
    const encode = (encoder: Encoder, pages: number[]): Uint8Array =>
      Buffer.concat([
        encoder.start(),
        ...pages.map((pgno) => encoder.page(page(pgno)).slice()),
        encoder.finish(),
      ])
    const base = encode(new Encoder(header(1n, 1n, 2)), [1, 2])
    const holed = encode(new Encoder(header(2n, 2n, 4)), [4])
    const merged = mergeFiles(
      [base, holed].map(async function* (bytes) {
        yield bytes
      }),
    )
    await expect(collectBytes(merged)).rejects.toMatchObject({ code: 'page-missing' })
  })
})

describe('frames without a commit', () => {
  it('T18: spilled frames of a transaction that rolls back are never taken', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    const { txid } = await primary.durable()
    scene.app.run(`PRAGMA cache_size=5; BEGIN; ${addRows(50, 3500)}`)
    expect((await primary.durable()).txid).toBe(txid)
    scene.app.run('ROLLBACK')
    expect((await primary.durable()).txid).toBe(txid)
    scene.app.run(addRows(3))
    expect((await primary.durable()).txid).toBe(txid + 1n)
    await scene.expectSamePages()
  })

  it('T18, T64: frames that a transaction rewrites before its commit are taken in their last version', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    const { txid } = await primary.durable()
    scene.app.run(`PRAGMA cache_size=5; BEGIN; ${addRows(50, 3500)}`)
    await primary.sync()
    for (let i = 0; i < 3; i++) {
      scene.app.run('UPDATE t SET v = randomblob(3500)')
      await primary.sync()
    }
    scene.app.run('COMMIT')
    expect((await primary.durable()).txid).toBe(txid + 1n)
    await scene.expectSamePages()
  })

  it.each([
    ['not captured', false],
    ['captured', true],
  ])(
    'T18: a last transaction (%s) that a power cut tears is in the replica as SQLite recovers it',
    async (_name, captured) => {
      await using scene = await Scene.begin()
      const primary = await scene.replicate({ syncIntervalMs: 60_000 })
      scene.app.run(addRows(10))
      await primary.durable()
      if (!captured) await primary.close()
      scene.app.run("INSERT INTO t(v) VALUES('torn')")
      if (captured) {
        await primary.durable()
        await primary.close()
      }
      await scene.crash((wal) => truncateSync(wal, statSync(wal).size - FRAME / 2))
      expect(scene.app.value("SELECT count(*) FROM t WHERE v = 'torn'")).toBe(0)
      const again = await scene.replicate()
      await again.durable()
      expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'torn'")).toBe(0)
      scene.app.run("INSERT INTO t(v) VALUES('next')")
      await scene.expectSamePages()
    },
  )

  it('T18: a commit frame with a wrong checksum is not taken, at start or while running', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    scene.app.run(addRows(10))
    const { txid } = await primary.durable()
    scene.app.run("INSERT INTO t(v) VALUES('damaged')")
    const last = frameAt(primary.status.walFrames)
    flip(`${scene.database}-wal`, last + 2000)
    await expect(primary.sync()).rejects.toMatchObject({ code: 'wal-discontinuous' })
    expect(primary.status).toMatchObject({ state: 'failed', captured: { txid } })
    await primary.close()
    await scene.crash()
    expect(scene.app.value("SELECT count(*) FROM t WHERE v = 'damaged'")).toBe(0)
    await scene.replicate()
    scene.app.run("INSERT INTO t(v) VALUES('next')")
    await scene.expectSamePages()
  })

  it('T09: a WAL that is nothing but its header continues', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    await primary.durable()
    scene.app.run(addRows(10))
    await primary.checkpoint()
    await primary.durable()
    await primary.close()
    await scene.crash((wal) => truncateSync(wal, 32))
    const again = await scene.replicate()
    scene.app.run("INSERT INTO t(v) VALUES('next')")
    await again.durable()
    expect(scene.seen('snapshotted')).toHaveLength(1)
    await scene.expectSamePages()
  })
})

describe('bytes that change while they are captured', () => {
  it.each(['frames:after-read', 'encode:before'] as const)(
    'T19: a short stretch is shipped as it was verified (changed at %s)',
    async (where) => {
      await using scene = await Scene.begin()
      let armed = false
      let changed = 0
      const primary = await scene.replicate({
        syncIntervalMs: 60_000,
        failpoint: (name) => {
          if (!armed || (name !== where && name !== 'encode:after')) return
          // Changed at the one, put right at the other.
          flip(`${scene.database}-wal`, frameAt(primary.status.walFrames) + 24, 4096)
          changed++
        },
      })
      await primary.durable()
      scene.app.run(addRows(20, 500))
      armed = true
      await primary.durable()
      armed = false
      expect(changed).toBe(2)
      expect(scene.seen('resynced')).toEqual([])
      await scene.expectSamePages()
    },
  )

  it.each(['frames:after-read', 'encode:before'] as const)(
    'T19: a long stretch that is not what was verified is not shipped (changed at %s)',
    async (where) => {
      await using scene = await Scene.begin()
      let armed = false
      const primary = await scene.replicate({
        syncIntervalMs: 60_000,
        failpoint: (name) => {
          if (!armed || name !== where) return
          armed = false
          flip(`${scene.database}-wal`, frameAt(primary.status.walFrames) + 24, 4096)
        },
      })
      const { txid } = await primary.durable()
      scene.app.run(addRows(6000, 3500))
      armed = true
      await expect(primary.sync()).rejects.toMatchObject({ code: 'wal-discontinuous' })
      expect(armed).toBe(false)
      expect(primary.status.captured?.txid).toBe(txid)
      flip(`${scene.database}-wal`, frameAt(primary.status.walFrames) + 24, 4096)
      await primary.durable()
      await scene.expectSamePages()
    },
  )
})

describe('repeated salts', () => {
  it.each([
    ['salt 1, more frames', { salt1: true, salt2: false }, 40],
    ['both salts, more frames', { salt1: true, salt2: true }, 40],
    ['both salts, fewer frames', { salt1: true, salt2: true }, 2],
    ['both salts, as many frames', { salt1: true, salt2: true }, 0],
  ])(
    'T20: a new generation with the salts of the captured one is found out (%s)',
    async (_name, repeat, rows) => {
      await using scene = await Scene.begin()
      const primary = await scene.replicate()
      for (let i = 0; i < 10; i++) scene.app.run('INSERT INTO t(v) VALUES(randomblob(500))')
      await primary.durable()
      const captured = primary.status.walFrames
      await primary.close()
      const old = saltsOf(`${scene.database}-wal`)
      expect(scene.app.query('PRAGMA wal_checkpoint(RESTART)')[0]?.[0]).toBe(0)
      // One frame each, on one page.
      for (let i = 0; i < (rows || captured); i++) scene.app.run(`UPDATE t SET v = 'new ${i}' WHERE id = 1`)
      await scene.crash((wal) =>
        resalt(wal, { ...(repeat.salt1 && { salt1: old.salt1 }), ...(repeat.salt2 && { salt2: old.salt2 }) }),
      )
      expect(scene.app.value('SELECT v FROM t WHERE id = 1')).toBe(`new ${(rows || captured) - 1}`)
      const again = await scene.replicate()
      await again.durable()
      expect(await scene.ask('SELECT v FROM t WHERE id = 1')).toBe(`new ${(rows || captured) - 1}`)
      scene.app.run("INSERT INTO t(v) VALUES('next')")
      await scene.expectSamePages()
    },
  )
})
