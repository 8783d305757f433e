import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '@sqlstream/testkit'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { expect, test } from 'vitest'
import { CREDENTIALS } from './conformance-options.ts'

const packageFolder = join(import.meta.dirname, '..')

test('the example of the README compiles and prints what it says', async () => {
  await using fake = await FakeS3.start({ credentials: CREDENTIALS })
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
    const env = {
      PATH: process.env['PATH'],
      AWS_ENDPOINT_URL: fake.url,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    }
    const node = (...args: string[]) => runProgram(process.execPath, args, { env })
    const compiler = join(packageFolder, 'node_modules/typescript/bin/tsc')
    expect(await node(compiler, '-p', folder)).toEqual({ stdout: '', stderr: '' })
    expect(await node('--conditions=@sqlstream/source', join(folder, 'example.ts'))).toEqual({
      stdout: printed,
      stderr: '',
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
