import { existsSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI } from './support/run-cli.ts'
import { Started } from './support/started.ts'

let folder: TempFolder
let app: App
let url: string
let copy: string
const started = new Started()
beforeEach(async () => {
  folder = new TempFolder('follow')
  app = new App(folder.join('app.db'))
  url = folder.join('replica')
  copy = folder.join('copy.db')
  app.commit(3)
  await upload()
})
afterEach(async () => {
  await started.end()
  app[Symbol.dispose]()
  folder.remove()
})

async function upload(): Promise<void> {
  const { status, stderr } = await runCLI(['replicate', app.path, url, '--once'])
  expect(stderr).toBe('')
  expect(status).toBe(0)
}

function expectSame(): void {
  expect(contents(copy)).toEqual({ rows: contents(app.path).rows, problems: 'ok' })
}

describe('follow', () => {
  test('W30: a copy that is kept at the newest state, each event a line of its schema', async () => {
    const follow = started.start('follow', url, copy, '--json', '--interval', '20ms')
    await follow.line(/"type":"restored"/)
    await follow.line(/"type":"current"/)
    expectSame()
    const replicate = started.start('replicate', app.path, url, '--json', '--sync-interval', '20ms')
    await replicate.line(/"to":"idle"/)
    app.commit(5)
    const line = await replicate.line(/"type":"uploaded"/)
    const { file } = JSON.parse(line) as { file: { maxTXID: string } }
    await follow.line(new RegExp(`"type":"applied".*"txid":"${file.maxTXID}"`))
    expectSame()
    follow.child.kill('SIGINT')
    const { status, stdout, stderr } = await follow.result
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const events = stdout
      .trim()
      .split('\n')
      .map((text) => SCHEMAS['follow-event'].parse(JSON.parse(text)))
    expect(events.map(({ type }) => type).filter((type) => type !== 'applied' && type !== 'current')).toEqual(
      ['restored', 'stopped'],
    )
  })

  test('--once brings a copy up to date and ends; a second time it goes on', async () => {
    const first = await runCLI(['follow', url, copy, '--once'])
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(first.stdout).toMatch(/^restored TXID 0000000000000001: .*\nstopped at TXID 0000000000000001\n$/)
    app.commit(2)
    await upload()
    const second = await runCLI(['follow', url, copy, '--once'])
    expect(second.stdout).toBe('going on from TXID 0000000000000001\nstopped at TXID 0000000000000002\n')
    expectSame()
  })

  test('errors say what to do, and have exit codes of their own', async () => {
    app.commit()
    const there = await runCLI(['follow', url, app.path, '--once'])
    expect(there.status).toBe(7)
    expect(there.stderr).toMatch(/is no copy that follows \(target-exists\)\nhint: .*--force/)
    const nowhere = await runCLI(['follow', folder.join('nowhere'), copy])
    expect(nowhere.status).toBe(3)
    expect(existsSync(copy)).toBe(false)
    await runCLI(['follow', url, copy, '--once'])
    const second = started.start('follow', url, copy, '--json')
    await second.line(/"type":"current"/)
    const locked = await runCLI(['follow', url, copy, '--once'])
    expect(locked).toMatchObject({ status: 5, stderr: expect.stringContaining('(locked)') })
  })
})
