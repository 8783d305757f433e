import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const PACKAGES = join(import.meta.dirname, '../..')
const SHARED = process.env['SQLSTREAM_SHARED'] ?? join(PACKAGES, '../../shared')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlstream-readme-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('the example of the README runs on a backup of the peer', () => {
  const scope = join(folder, 'node_modules/@sqlstream')
  mkdirSync(scope, { recursive: true })
  symlinkSync(join(PACKAGES, 'replica'), join(scope, 'replica'))
  symlinkSync(join(PACKAGES, 'ltx-format'), join(scope, 'ltx'))
  symlinkSync(join(PACKAGES, 'storage-file'), join(scope, 'storage-file'))
  cpSync(join(SHARED, 'golden/litestream-0.5.17/levels/replica'), join(folder, 'backup'), { recursive: true })
  const readme = readFileSync(join(PACKAGES, 'replica/README.md'), 'utf8')
  writeFileSync(join(folder, 'example.mts'), /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '')

  const options = { cwd: folder, encoding: 'utf8' } as const
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--conditions=@sqlstream/source', 'example.mts'],
    options,
  )
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout.trim().split('\n')).toEqual([
    'level 0: 2 files',
    'level 1: 3 files',
    'level 2: 1 files',
    'level 9: 1 files',
    'restorable: 0000000000000004 0000000000000007 0000000000000009 000000000000000a 000000000000000b',
    'info 7 of 7 files carry no chain proof, the first is ltx/1/0000000000000001-0000000000000004.ltx',
    expect.stringMatching(/^restored 000000000000000b: 39 pages, \d+ bytes read$/),
    'past.db is of 2026-11-23T16:54:58.036Z, 1964 ms before',
  ])
  expect(existsSync(join(folder, 'restored.db'))).toBe(true)
})
