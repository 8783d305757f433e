import { rmSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

let folder: TempFolder
let backup: string
let app: App

beforeEach(() => {
  folder = new TempFolder('lease')
  backup = folder.join('backup')
  app = new App(folder.join('app.db'))
})

afterEach(() => {
  app[Symbol.dispose]()
  folder.remove()
})

/** The newest state on a second machine, replicated to the same place. */
async function secondCopy(): Promise<App> {
  const path = folder.join('second.db')
  expect((await runCLI(['restore', backup, '-o', path])).status).toBe(0)
  return new App(path)
}

async function show(): Promise<Record<string, unknown>> {
  const { status, stdout } = await runCLI(['lease', 'show', backup, '--json'])
  expect(status).toBe(0)
  return SCHEMAS.lease.parse(JSON.parse(stdout))
}

test('who writes is shown: nobody ever, somebody, nobody any more', async () => {
  expect((await runCLI(['lease', 'show', backup])).stdout).toMatch(/nobody has ever held the lease/)
  app.commit(1)
  const cli = startCLI(['replicate', app.path, backup])
  await cli.line(/is ours to write \(epoch 1\)/)
  expect(await show()).toMatchObject({ state: 'held', epoch: '1', ttlMs: 30_000 })
  expect((await runCLI(['lease', 'show', backup])).stdout).toMatch(
    /held by .* pid \d+ since .* as epoch 1, until .*Z unless renewed/,
  )
  cli.child.kill('SIGINT')
  expect((await cli.result).status).toBe(0)
  expect(await show()).toMatchObject({ state: 'released', epoch: '1' })
})

test('T31: a second writer is told who writes; with --wait it goes on where the first ended', async () => {
  app.commit(1)
  const first = startCLI(['replicate', app.path, backup, '--sync-interval', '50ms', '--lease-ttl', '2s'])
  await first.line(/replicating to/)
  using second = await secondCopy()
  const busy = setInterval(() => app.commit(1), 100)
  const refused = await runCLI(['replicate', second.path, backup])
  expect(refused).toMatchObject({
    status: EXIT.conflict,
    stderr: expect.stringMatching(
      /^error: this replica is held by .* until .*\(lease-held\)\nhint: .*--wait/,
    ),
  })
  const waiting = startCLI(['replicate', second.path, backup, '--wait', '--on-behind', 'snapshot'])
  await waiting.line(/waiting: the replica is held by .* until/)
  clearInterval(busy)
  first.child.kill('SIGINT')
  expect((await first.result).status).toBe(0)
  await waiting.line(/is ours to write \(epoch 2\)/)
  second.commit(1)
  await waiting.line(/replicating to/)
  waiting.child.kill('SIGINT')
  expect((await waiting.result).status).toBe(0)
})

test('T32: a writer that was stopped beyond its time is fenced with an exit code of its own, and names what it kept', async () => {
  app.commit(1)
  const first = startCLI(['replicate', app.path, backup, '--sync-interval', '50ms', '--lease-ttl', '500ms'])
  await first.line(/replicating to/)
  using second = await secondCopy()
  first.child.kill('SIGSTOP')
  app.commit(3)
  second.commit(2)
  expect((await runCLI(['replicate', second.path, backup, '--once'])).status).toBe(0)
  first.child.kill('SIGCONT')
  const { status, stdout } = await first.result
  expect(stdout).toMatch(/fenced: another writer has taken over this replica/)
  expect(stdout).toMatch(/\d+ files? not uploaded, kept beside the database/)
  expect(status).toBe(EXIT.fenced)
  const restored = folder.join('restored.db')
  await runCLI(['restore', backup, '-o', restored])
  expect(contents(restored)).toEqual(contents(second.path))
})

test('release frees the lease of a writer that was killed, steal does so at once', async () => {
  app.commit(1)
  const args = ['replicate', app.path, backup, '--lease-ttl', '300ms']
  for (const command of ['release', 'steal']) {
    const cli = startCLI(args)
    await cli.line(/replicating to/)
    cli.child.kill('SIGKILL')
    await cli.result
    expect(await show()).toMatchObject({ state: 'held' })
    const { status, stdout } = await runCLI(['lease', command, backup])
    expect(stdout).toMatch(/free; epoch \d+ was released by sqlstream lease/)
    expect(status).toBe(0)
    expect(await show()).toMatchObject({ state: 'released' })
  }
})

test('another history is refused where this database was never replicated from, and taken when told', async () => {
  app.commit(1)
  expect((await runCLI(['replicate', app.path, backup, '--once'])).status).toBe(0)
  rmSync(folder.join('.app.db-sqlstream'), { recursive: true })
  app.commit(1)
  const refused = await runCLI(['replicate', app.path, backup, '--once'])
  expect(refused).toMatchObject({
    status: EXIT.conflict,
    stderr: expect.stringMatching(/\(diverged\)\nhint: .*--on-diverged snapshot/),
  })
  expect((await runCLI(['replicate', app.path, backup, '--once', '--on-diverged', 'snapshot'])).status).toBe(
    0,
  )
})
