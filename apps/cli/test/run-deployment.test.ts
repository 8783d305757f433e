import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { App, contents } from './support/app.ts'
import { FaultyFolder } from './support/faulty-driver.ts'
import type { CLIProcess } from './support/run-cli.ts'
import { RunScene } from './support/run-scene.ts'
import { writeFile } from './support/write-file.ts'

let scene: RunScene
let old: App

beforeEach(() => {
  scene = new RunScene()
  old = new App(scene.folder.join('old.db'))
})

afterEach(async () => {
  old[Symbol.dispose]()
  await scene[Symbol.asyncDispose]()
})

/** The former machine, which replicates its database to the same place. */
async function formerMachine(url = scene.backup): Promise<CLIProcess> {
  const replicate = scene.start('replicate', old.path, url, '--sync-interval', '20ms')
  await replicate.line(/replicating to/)
  return replicate
}

async function ends(replicate: CLIProcess): Promise<void> {
  replicate.child.kill('SIGTERM')
  expect((await replicate.result).status).toBe(EXIT.ok)
}

function pidOf(line: string): number {
  return Number(/started \(pid (\d+)\)/.exec(line)?.[1])
}

describe('T52: a deployment', () => {
  test('waits for the former instance, and its application sees every row of that', async () => {
    old.commit(10)
    const former = await formerMachine()
    const run = scene.run(['--wait'])
    // It has restored what there was by now, and the former instance goes on.
    await run.errorLine(/restored at TXID/)
    await run.errorLine(/waiting: the replica is held by/)
    old.commit(25)
    await ends(former)
    expect(await run.line(/^rows/)).toBe('rows 35')
    await run.errorLine(/the replica has gone on meanwhile; restoring again/)
    await run.line(/^serving$/)
    run.child.kill('SIGUSR2')
    await run.line(/^committed 36$/)
    run.child.kill('SIGTERM')
    const { status, stderr } = await run.result
    expect(status).toBe(EXIT.ok)
    // It goes on where the former one ended.
    expect(stderr).not.toMatch(/snapshot of the whole database/)
    expect(await scene.backedUpRows()).toBe(36)
  })

  test('restores nothing again when the former instance has written nothing more', async () => {
    old.commit(10)
    const former = await formerMachine()
    expect((await scene.cli('sync', old.path)).status).toBe(EXIT.ok)
    const run = scene.run(['--wait'], { exit: 0 })
    await run.errorLine(/waiting: the replica is held by/)
    await ends(former)
    const { stdout, stderr } = await run.result
    expect(stdout).toBe('rows 10\ncommitted 10\n')
    expect(stderr).not.toMatch(/restoring again/)
  })

  test('what was said for old copies is not said of one that is restored: the newest state wins', async () => {
    old.commit(10)
    const former = await formerMachine()
    const run = scene.run(['--wait', '--on-behind', 'snapshot', '--on-diverged', 'snapshot'], { exit: 0 })
    await run.errorLine(/waiting: the replica is held by/)
    old.commit(5)
    await ends(former)
    expect((await run.result).stdout).toBe('rows 15\ncommitted 15\n')
  })

  test('a restored database that somebody has written to meanwhile is not replaced', async () => {
    old.commit(10)
    const former = await formerMachine()
    const run = scene.run(['--wait'])
    await run.errorLine(/waiting: the replica is held by/)
    const other = new App(scene.database)
    other.commit(1)
    other[Symbol.dispose]()
    const { rows } = contents(scene.database)
    old.commit(5)
    await ends(former)
    const { status, stdout, stderr } = await run.result
    expect([status, stdout]).toEqual([EXIT.conflict, ''])
    expect(stderr).toMatch(/\(behind\)\nhint: /)
    expect(contents(scene.database).rows).toBe(rows)
  })

  test('without --wait it ends while the former instance lives, and starts nothing', async () => {
    old.commit(10)
    const words = [old.path, scene.backup, '--sync-interval', '20ms', '--lease-ttl', '1s']
    const former = scene.start('replicate', ...words)
    await former.line(/replicating to/)
    const busy = setInterval(() => old.commit(1), 50)
    try {
      const { status, stdout, stderr } = await scene.run([]).result
      expect([status, stdout]).toEqual([EXIT.conflict, ''])
      expect(stderr).toMatch(/held by .*\(lease-held\)\nhint: .*--wait/)
    } finally {
      clearInterval(busy)
    }
    await ends(former)
  })

  test('a former instance whose first snapshot is under way is seen: an empty listing is not enough', async () => {
    const store = new FaultyFolder(scene.folder)
    old.commit(10)
    store.begin('hold-writes')
    const former = await formerMachine(store.url('backup'))
    await expect.poll(() => store.isMet('hold-writes')).toBe(true)
    const words = ['run', scene.database, store.url('backup'), '--wait']
    const run = scene.start(...words, '--', ...scene.application({ exit: 0 }))
    await run.errorLine(/waiting: the replica is held by/)
    expect(scene.isThere).toBe(false)
    store.end('hold-writes')
    await former.line(/snapshot .* uploaded/)
    await ends(former)
    const { status, stdout } = await run.result
    expect([status, stdout]).toEqual([EXIT.ok, 'rows 10\ncommitted 10\n'])
  })
})

describe('another writer', () => {
  /** Takes the replica over from a run that is stopped in the middle, with a copy of its own. */
  async function takeOver(run: CLIProcess, application: number): Promise<void> {
    run.child.kill('SIGSTOP')
    const copy = scene.folder.join('copy-of-another.db')
    expect((await scene.cli('restore', scene.backup, '-o', copy)).status).toBe(EXIT.ok)
    using other = new App(copy)
    other.commit(2)
    expect((await scene.cli('replicate', copy, scene.backup, '--once')).status).toBe(EXIT.ok)
    process.kill(application, 'SIGUSR2')
    await run.line(/^committed 4$/)
    run.child.kill('SIGCONT')
  }

  test('T32: that has taken over ends the application, and the exit code is that of fenced', async () => {
    await scene.backUp(3)
    const run = scene.run(['--lease-ttl', '500ms', '--sync-interval', '20ms', '--metrics', '0'])
    await run.line(/^serving$/)
    await takeOver(run, pidOf(await run.errorLine(/started/)))
    const { status, stdout, stderr } = await run.result
    expect(stdout).toMatch(/got SIGTERM/)
    expect(stderr).toMatch(/is told to end: another writer/)
    expect(stderr).toMatch(/^error: another writer .*\(fenced\)\nhint: /m)
    expect(status).toBe(EXIT.fenced)
  })

  test('kills one that does not end in time', async () => {
    await scene.backUp(3)
    const options = ['--lease-ttl', '500ms', '--sync-interval', '20ms', '--stop-timeout', '200ms']
    const run = scene.run(options, { stubborn: true })
    await run.line(/^serving$/)
    await takeOver(run, pidOf(await run.errorLine(/started/)))
    const { status, stdout, stderr } = await run.result
    expect(stdout).toMatch(/got SIGTERM/)
    expect(stderr).toMatch(/has not ended in time, and is killed/)
    expect(stderr).toMatch(/ended by SIGKILL/)
    expect(status).toBe(EXIT.fenced)
  })

  test('that was quicker with the first backup ends it as well: there would be two databases', async () => {
    const [node = '', ...rest] = scene.application()
    const script = 'while [ ! -e go ]; do sleep 0.02; done; exec "$0" "$@"'
    const run = scene.start('run', scene.database, scene.backup, '--', 'sh', '-c', script, node, ...rest)
    await run.errorLine(/started/)
    old.commit(5)
    expect((await scene.cli('replicate', old.path, scene.backup, '--once')).status).toBe(EXIT.ok)
    writeFile(scene.folder, 'go', '')
    const { status, stderr } = await run.result
    expect(stderr).toMatch(/is told to end: the replica holds another history/)
    expect(stderr).toMatch(/^error: .*\(diverged\)\nhint: /m)
    expect(status).toBe(EXIT.conflict)
    expect(existsSync(scene.database)).toBe(true)
    expect(await scene.backedUpRows()).toBe(5)
  })
})
