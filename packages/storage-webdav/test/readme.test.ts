import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { withServer } from './servers.ts'

const packageFolder = join(import.meta.dirname, '..')

await withServer('lighttpd', (server, test) => {
  test('the example of the README compiles and prints what it says', () => {
    const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8')
    const [, code] = /^```ts example.ts\n(.*?)^```$/ms.exec(readme)!
    const [, printed] = /^```text\n(.*?)^```$/ms.exec(readme)!
    const BACKUP_URL = `${server.url.replace('http:', 'webdav:')}/app`
    // In the package, so that its own name resolves.
    mkdirSync(join(packageFolder, 'dist'), { recursive: true })
    const folder = mkdtempSync(join(packageFolder, 'dist', 'readme-'))
    try {
      writeFileSync(join(folder, 'example.ts'), code!)
      writeFileSync(
        join(folder, 'tsconfig.json'),
        '{ "extends": "../../test/tsconfig.json", "include": ["."] }',
      )
      const node = (...args: string[]) =>
        execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: { BACKUP_URL } })
      expect(node(join(packageFolder, 'node_modules/typescript/bin/tsc'), '-p', '.')).toBe('')
      expect(node('--conditions=@sqlstream/source', 'example.ts')).toBe(printed)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
