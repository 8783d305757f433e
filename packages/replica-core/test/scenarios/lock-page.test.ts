import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { lockPgno, mergeFiles, type PageSize } from '@sqlstream/ltx'
import { type PageSink, planRestore, type RestoreResult, restore } from '@sqlstream/replica'
import { describe, expect, it } from 'vitest'
import { collectBytes } from './support/bytes.ts'
import { Scene } from './support/scene.ts'

/** Where the merged file and the restored one are looked at too; a gigabyte is written for each. */
const WHOLE: readonly PageSize[] = [4096, 65536]
const PAGE_SIZES: PageSize[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

/** Makes a database that SQLite takes for `pages` long; what it does not use is a hole in the file. */
function lengthen(path: string, pageSize: number, pages: number): void {
  const fd = openSync(path, 'r+')
  const size = new DataView(new ArrayBuffer(4))
  size.setUint32(0, pages)
  writeSync(fd, new Uint8Array(size.buffer), 0, 4, 28)
  ftruncateSync(fd, pages * pageSize)
  closeSync(fd)
}

/** A target that keeps nothing but looks at the page numbers. */
function watchingSink(lock: number): PageSink & { readonly met: number[] } {
  const met: number[] = []
  return {
    met,
    begin: async () => undefined,
    write: async ({ pgnos, count }) => {
      for (let i = 0; i < count; i++) if (pgnos[i]! >= lock - 1) met.push(pgnos[i]!)
    },
    truncate: async () => undefined,
    commit: async () => undefined,
    abort: async () => undefined,
  }
}

async function restoreHead(scene: Scene, lock: number): Promise<{ result: RestoreResult; met: number[] }> {
  const sink = watchingSink(lock)
  const result = await restore(
    scene.replica,
    planRestore(await scene.replica.catalog(), { kind: 'latest' }),
    sink,
  )
  expect(result.proven).toBe(true)
  expect(sink.met).not.toContain(lock)
  expect([result.pageSums[lock * 2 - 2] ?? 0, result.pageSums[lock * 2 - 1] ?? 0]).toEqual([0, 0])
  return { result, met: sink.met }
}

describe('the page at 1 GiB that SQLite never uses', () => {
  it.each(PAGE_SIZES)('T16: growing and shrinking across it with pages of %i bytes', async (pageSize) => {
    const lock = lockPgno(pageSize)
    expect((lock - 1) * pageSize).toBe(1 << 30)
    await using scene = await Scene.begin({ pragmas: `PRAGMA page_size=${pageSize}` })
    scene.app.run("CREATE TABLE edge(v); INSERT INTO edge VALUES('start')")
    scene.app.close()
    // Two pages below.
    lengthen(scene.database, pageSize, lock - 3)
    scene.app.open(scene.database).run('PRAGMA wal_autocheckpoint=0')
    expect(scene.app.value('PRAGMA page_count')).toBe(lock - 3)
    const primary = await scene.replicate()
    await primary.durable()
    // Across.
    scene.app.run(`INSERT INTO edge SELECT zeroblob(${pageSize * 6})`)
    await primary.durable()
    const commit = scene.app.value('PRAGMA page_count') as number
    expect(commit).toBeGreaterThan(lock + 1)
    const [across] = await scene.files()
    const { header, pgnos } = await scene.read(across!)
    expect(header.commit).toBe(commit)
    expect(pgnos).not.toContain(lock)
    expect(pgnos).toEqual(expect.arrayContaining([lock - 2, lock - 1, lock + 1]))
    await primary.checkpoint()
    const grown = await restoreHead(scene, lock)
    expect(grown.result.commit).toBe(commit)
    expect(grown.met).toEqual(expect.arrayContaining([lock - 1, lock + 1, commit]))
    await primary.close()
    // From above, without any local state: the scan must find the same database.
    rmSync(scene.folder.join('db', '.app.db-sqlstream'), { recursive: true })
    const again = await scene.replicate()
    expect(again.status.captured?.txid).toBe(across!.maxTXID)
    expect(again.status.captured?.postApplyChecksum).toBe(grown.result.pos.postApplyChecksum)
    // And back below.
    scene.app.run('DELETE FROM edge WHERE length(v) > 10; VACUUM')
    await again.durable()
    const { result } = await restoreHead(scene, lock)
    expect(result.commit).toBe(scene.app.value('PRAGMA page_count'))
    expect(result.commit).toBeLessThan(20)
    if (!WHOLE.includes(pageSize)) return
    const catalog = await scene.replica.catalog()
    const merged = await collectBytes(
      mergeFiles(planRestore(catalog, { kind: 'latest' }).files.map((file) => scene.replica.open(file))),
    )
    expect(merged.length).toBeLessThan(20 * pageSize)
    await scene.expectSamePages()
  })
})
