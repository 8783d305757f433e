import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FakeGCS } from '@sqlstream/testkit/servers'
import { expect, test } from 'vitest'

const packageFolder = join(import.meta.dirname, '..')

test('the example of the README compiles and prints what it says', async () => {
  await using fake = await FakeGCS.start({ buckets: ['my-backups'] })
  const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8')
  const [, code] = /^```ts example.ts\n(.*?)^```$/ms.exec(readme)!
  const [, printed] = /^```text\n(.*?)^```$/ms.exec(readme)!
  // In the package, so that its own name resolves.
  mkdirSync(join(packageFolder, 'dist'), { recursive: true })
  const folder = mkdtempSync(join(packageFolder, 'dist', 'readme-'))
  try {
    writeFileSync(join(folder, 'example.ts'), code!)
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{ "extends": "../../test/tsconfig.json", "include": ["."] }',
    )
    const tsc = join(packageFolder, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: folder })
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@sqlstream/source', 'example.ts'],
      { cwd: folder, env: { ...process.env, STORAGE_EMULATOR_HOST: fake.url } },
    )
    expect(stdout).toBe(printed)
    expect(fake.bucket('my-backups').names()).toEqual(['app/notes/today'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
