import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { Primary, readStatus } from '../../src/index.ts'
import { lockedBytes, SHARED_FIRST } from './support/locks.ts'
import { Replicator } from './support/replicator.ts'
import { addRows, Scene } from './support/scene.ts'

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url))
/** Modules that may use node:fs, and what they use it for: files of our own, and a second name of a database, which fs does not open. */
const OWN_FILES = /^(state\/.*|start|status|refuse-open)\.ts$/
/** Modules that find databases. They open folders, and ask for names, times and events, none of which touches a lock. */
const FOLDERS = /^fleet\/(folder-watches|network-file-system|scan-folder)\.ts$/
/** Reads the first bytes of files that are not attached, in one go, and never closes one that is (F6). */
const HEADERS = 'fleet/header-check.ts'
const LINUX = process.platform === 'linux'

describe('the one module that opens the database', () => {
  const sources = (readdirSync(SOURCES, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.ts') && name !== 'sqlite/database-files.ts')
    .map((name) => ({ name, text: readFileSync(join(SOURCES, name), 'utf8') }))

  it('T47: no other module uses fs, except on files of our own', () => {
    const users = sources
      .filter(({ text }) => /from '(node:)?fs(\/promises)?'/.test(text))
      .map(({ name }) => name)
    const strangers = users.filter((name) => !OWN_FILES.test(name) && !FOLDERS.test(name))
    expect(strangers).toEqual([HEADERS])
    expect(sources.length).toBeGreaterThan(20)
  })

  it('T47: modules that find databases open no file but through the check of headers', () => {
    const finders = sources.filter(({ name }) => FOLDERS.test(name))
    expect(finders.length).toBe(3)
    const harmless = /^(watch as watchFolder|statfs|readdir|stat|statSync|lstatSync|realpathSync|type \w+)$/
    for (const { name, text } of finders) {
      const imports = [...text.matchAll(/import \{([^}]*)\} from 'node:fs(?:\/promises)?'/g)]
      const names = imports.flatMap(([, list = '']) => list.split(',').map((each) => each.trim()))
      expect(names.length, name).toBeGreaterThan(0)
      expect(
        names.filter((each) => each !== '' && !harmless.test(each)),
        name,
      ).toEqual([])
      expect(text, name).not.toMatch(/import (\w+|\* as \w+)(, .*)? from 'node:fs/)
    }
  })

  it('T47: no other module names the -shm file or opens what is called a database', () => {
    const opens =
      /(?<!DatabaseFiles\.)\b(open|openSync|readFile|readFileSync|copyFile|copyFileSync|createReadStream)\(\s*(\w+\.)*database\b/
    for (const { name, text } of sources) {
      const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
      expect(code, name).not.toMatch(/['"`}]-shm/)
      expect(code, name).not.toMatch(opens)
    }
  })
})

describe.runIf(LINUX)('locks of the replicator', () => {
  it('T47: no descriptor of the database or the wal-index is closed while locks depend on it, from start to end', async () => {
    await using scene = await Scene.begin()
    const report = scene.folder.join('watchdog')
    const watchdog = fileURLToPath(new URL('./support/file-watchdog.mjs', import.meta.url))
    await using replicator = new Replicator(
      { database: scene.database, replica: scene.folder.join('replica'), checkpointFrames: 50 },
      ['--import', watchdog],
      { WATCHED_DATABASE: scene.database, WATCHDOG_REPORT: report },
    )
    await replicator.ask('open')
    for (let i = 0; i < 5; i++) {
      scene.app.run(addRows(100, 2000))
      await replicator.ask('durable')
      await replicator.ask('checkpoint')
      expect(lockedBytes(scene.database, replicator.pid)).toContain(SHARED_FIRST)
      expect(lockedBytes(`${scene.database}-shm`, replicator.pid).length).toBeGreaterThan(0)
    }
    await replicator.ask('close')
    const lines = readFileSync(report, 'utf8').trim().split('\n')
    expect(lines.filter((line) => line.startsWith('violation'))).toEqual([])
    expect(lines).toEqual(expect.arrayContaining(['open db', 'open shm', 'close shm locks=0']))
    expect(lines.filter((line) => line.startsWith('close') && !line.endsWith('locks=0'))).toEqual([])
    await scene.expectSamePages()
  })

  it('T47: the watchdog of the test above does bite', async () => {
    await using scene = await Scene.begin()
    const report = scene.folder.join('watchdog')
    const watchdog = fileURLToPath(new URL('./support/file-watchdog.mjs', import.meta.url))
    const script = `
      import fs from 'node:fs'
      const { default: Database } = await import(${JSON.stringify(import.meta.resolve('better-sqlite3'))})
      const db = new Database(${JSON.stringify(scene.database)}, { readonly: true })
      db.exec('BEGIN'); db.prepare('SELECT count(*) FROM t').get()
      fs.closeSync(fs.openSync(${JSON.stringify(scene.database)}, 'r'))
      fs.readFileSync(${JSON.stringify(`${scene.database}-shm`)})`
    await runProgram(process.execPath, ['--import', watchdog, '--input-type=module', '-e', script], {
      env: { ...process.env, WATCHED_DATABASE: scene.database, WATCHDOG_REPORT: report },
    })
    const lines = readFileSync(report, 'utf8')
    expect(lines).toMatch(/close db locks=[1-9]/)
    expect(lines).toMatch(/violation readFileSync/)
  })

  it('T47: a second replicator in the same process is refused without touching the locks of the first', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    scene.app.run(addRows(10))
    await primary.durable()
    const held = lockedBytes(scene.database)
    expect(held).toContain(SHARED_FIRST)
    for (let i = 0; i < 2; i++) {
      const second = Primary.open({ database: scene.database, replica: scene.replica })
      await expect(second).rejects.toMatchObject({ code: 'locked' })
    }
    await readStatus(scene.database)
    expect(lockedBytes(scene.database)).toEqual(held)
    expect(lockedBytes(`${scene.database}-shm`).length).toBeGreaterThan(0)
    // The proof of the pudding: the last close of the application still leaves the WAL to us.
    scene.app.run("INSERT INTO t(v) VALUES('last')")
    scene.app.close()
    expect(existsSync(`${scene.database}-wal`)).toBe(true)
    await primary.durable()
    expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'last'")).toBe(1)
    scene.app.open(scene.database)
    await scene.expectSamePages()
  })
})

describe('other SQLite libraries', () => {
  it('P7, T48: an application with another SQLite than ours is replicated from a process of our own', async () => {
    await using scene = await Scene.begin()
    await using replicator = await Replicator.start({
      database: scene.database,
      replica: scene.folder.join('replica'),
    })
    // Node's own SQLite, in a process of its own, beside better-sqlite3 in two others.
    const script = `
      const { DatabaseSync } = await import('node:sqlite')
      const db = new DatabaseSync(process.argv[1])
      db.exec('PRAGMA busy_timeout=10000; PRAGMA wal_autocheckpoint=20')
      for (let i = 0; i < 300; i++) db.exec("INSERT INTO t(v) VALUES(randomblob(1000))")
      db.close()`
    const other = runProgram(process.execPath, [
      '--no-warnings',
      '--input-type=module',
      '-e',
      script,
      '--',
      scene.database,
    ])
    for (let i = 0; i < 100; i++) {
      await scene.app
        .runBeside('BEGIN IMMEDIATE; INSERT INTO t(v) VALUES(randomblob(1000)); COMMIT')
        .catch((error: { code: string }) => {
          if (error.code !== 'SQLITE_BUSY') throw error
        })
      await replicator.ask('sync')
    }
    await other
    await replicator.ask('durable')
    await scene.expectSameRows()
    expect(scene.app.value('SELECT count(*) FROM t')).toBeGreaterThanOrEqual(300)
    expect(await replicator.ask('close')).toBe(0)
    await scene.expectSamePages()
  })
})
