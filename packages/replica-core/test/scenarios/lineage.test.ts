import { cpSync, readdirSync, rmSync } from 'node:fs'
import { headOf, planRestore, Replica, restorableTXIDs, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import { describe, expect, it } from 'vitest'
import { adoptRestored, type PrimaryOptions } from '../../src/index.ts'
import { addRows, Scene } from './support/scene.ts'

const ROWS = "SELECT group_concat(v, ' ') FROM t"

/** Removes the database with all that lies beside it; the application has let it go. */
function loseVolume(scene: Scene, options: { readonly keepState?: boolean } = {}): void {
  const folder = scene.folder.join('db')
  for (const name of readdirSync(folder)) {
    if (options.keepState && name.endsWith('-sqlstream')) continue
    rmSync(`${folder}/${name}`, { recursive: true })
  }
}

/** What `restore` of the command line does: file, then the state beside it. */
async function restoreInPlace(
  scene: Scene,
  target: Parameters<typeof planRestore>[1],
  adopt = true,
): Promise<void> {
  const catalog = await scene.replica.catalog()
  const result = await restore(
    scene.replica,
    planRestore(catalog, target),
    fileSink(scene.database, { overwrite: true }),
  )
  const databaseId = (await scene.replica.identity())?.databaseId
  if (adopt) await adoptRestored(scene.database, result, { head: headOf(catalog)!, databaseId })
}

/** Replicates one row for each word, each in a transaction of its own, and lets everything go. */
async function replicateWords(
  scene: Scene,
  words: readonly string[],
  options: Partial<PrimaryOptions> = {},
): Promise<void> {
  const primary = await scene.replicate({ syncIntervalMs: 60_000, ...options })
  for (const word of words) {
    scene.app.run(`INSERT INTO t(v) VALUES('${word}')`)
    await primary.durable()
  }
  await primary.close()
}

describe('restored, then written again', () => {
  it.each([
    ['with the state that restore writes', true],
    ['without any local state', false],
  ])('T21: %s, the new rows are backed up with the old ones', async (_name, adopt) => {
    await using scene = await Scene.begin()
    await replicateWords(scene, ['one', 'two', 'three'])
    scene.app.close()
    loseVolume(scene)
    await restoreInPlace(scene, { kind: 'latest' }, adopt)
    scene.app.open(scene.database)
    await replicateWords(scene, ['four'])
    // One base for ever: what goes on is proven to be the same database.
    expect(scene.seen('snapshotted')).toHaveLength(1)
    scene.app.close()
    loseVolume(scene)
    await restoreInPlace(scene, { kind: 'latest' })
    scene.app.open(scene.database)
    expect(scene.app.value(ROWS)).toBe('one two three four')
    await scene.expectSamePages()
  })

  it('T21: killed right after the new row was reported durable, it is there', async () => {
    await using scene = await Scene.begin()
    await replicateWords(scene, ['one', 'two'])
    scene.app.close()
    loseVolume(scene)
    await restoreInPlace(scene, { kind: 'latest' })
    scene.app.open(scene.database)
    const primary = await scene.replicate()
    scene.app.run("INSERT INTO t(v) VALUES('three')")
    await primary.durable()
    await scene.app.kill()
    expect(await scene.ask(ROWS)).toBe('one two three')
  })

  it('T21: after a restore to the past, both futures can be restored', async () => {
    await using scene = await Scene.begin()
    await replicateWords(scene, ['one', 'two', 'three', 'four'])
    const points = restorableTXIDs(await scene.replica.catalog())
    const past = points.at(-3)!
    const oldHead = points.at(-1)!
    scene.app.close()
    loseVolume(scene)
    await restoreInPlace(scene, { kind: 'txid', txid: past })
    scene.app.open(scene.database)
    expect(scene.app.value(ROWS)).toBe('one two')
    await replicateWords(scene, ['other'])
    expect(scene.seen('snapshot-started').at(-1)?.reason).toBe('restored-to-older')
    expect(await scene.ask(ROWS)).toBe('one two other')
    expect(await scene.ask(ROWS, { kind: 'txid', txid: oldHead })).toBe('one two three four')
    // The next restart finds nothing special.
    await replicateWords(scene, ['more'])
    expect(scene.seen('snapshot-started')).toHaveLength(2)
    expect(await scene.ask(ROWS)).toBe('one two other more')
    await scene.expectSamePages()
  })
})

describe('another database', () => {
  it('S4: is refused by a replica that belongs to one', async () => {
    await using scene = await Scene.begin()
    await replicateWords(scene, ['one'])
    const before = restorableTXIDs(await scene.replica.catalog())
    const database = scene.folder.join('db', 'other.db')
    scene.app.open(database, 'other')
    scene.app.run('PRAGMA journal_mode=WAL; CREATE TABLE other(v)', 'other')
    const elsewhere = new Replica(new FileStore(scene.folder.join('elsewhere')))
    await (await scene.replicate({ database, replica: elsewhere })).close()
    await expect(scene.replicate({ database })).rejects.toMatchObject({ code: 'wrong-database' })
    expect(restorableTXIDs(await scene.replica.catalog())).toEqual(before)
    await scene.expectSamePages()
  })
})

describe('an old volume', () => {
  /** The replica is at four words, the volume at two. */
  async function oldVolume(): Promise<Scene> {
    const scene = await Scene.begin()
    await replicateWords(scene, ['one', 'two'])
    // The image of a volume: all files, with a WAL, as of one instant.
    scene.keep('old', { replica: false })
    await replicateWords(scene, ['three', 'four'])
    scene.app.close()
    rmSync(scene.folder.join('db'), { recursive: true })
    cpSync(scene.folder.join('old', 'db'), scene.folder.join('db'), { recursive: true })
    scene.app.open(scene.database)
    expect(scene.app.value(ROWS)).toBe('one two')
    return scene
  }

  it('T22: is refused as behind, and the replica stays as it is', async () => {
    await using scene = await oldVolume()
    scene.app.run("INSERT INTO t(v) VALUES('wrong')")
    const before = restorableTXIDs(await scene.replica.catalog())
    for (let i = 0; i < 2; i++) {
      await expect(scene.replicate()).rejects.toMatchObject({ name: 'PrimaryError', code: 'behind' })
    }
    expect(restorableTXIDs(await scene.replica.catalog())).toEqual(before)
    expect(await scene.ask(ROWS)).toBe('one two three four')
  })

  it('T22: goes on from itself when told to, and the newer state stays restorable', async () => {
    await using scene = await oldVolume()
    const newest = headOf(await scene.replica.catalog())!
    await replicateWords(scene, ['fork'], { onBehind: 'snapshot' })
    expect(await scene.ask(ROWS)).toBe('one two fork')
    expect(await scene.ask(ROWS, { kind: 'txid', txid: newest })).toBe('one two three four')
    await scene.expectSamePages()
  })

  it('T22: one that is ahead but of another history gets a base of its own, and the other stays restorable', async () => {
    await using scene = await Scene.begin()
    await replicateWords(scene, ['one', 'two'])
    scene.keep('fork')
    await replicateWords(scene, ['three'])
    const theirs = headOf(await scene.replica.catalog())!
    scene.app.close()
    // From the same point on, more transactions than the other side has, somewhere else.
    scene.keep('theirs')
    scene.putBack('fork')
    scene.app.open(scene.database)
    await replicateWords(scene, ['x', 'y', 'z'])
    scene.putBack('theirs', ['replica'])
    const primary = await scene.replicate()
    await primary.durable()
    expect(await scene.ask(ROWS)).toBe('one two x y z')
    expect(await scene.ask(ROWS, { kind: 'txid', txid: theirs })).toBe('one two three')
    scene.app.run(addRows(5))
    await scene.expectSamePages()
  })
})
