import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { withSSHD } from './sshd.ts'

const packageFolder = join(import.meta.dirname, '..')

await withSSHD((sshd, test) => {
  test('the example of the README compiles and prints what it says', () => {
    const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8')
    const [, code] = /^```ts example.ts\n(.*?)^```$/ms.exec(readme)!
    const [, printed] = /^```text\n(.*?)^```$/ms.exec(readme)!
    const place = `${sshd.user}@127.0.0.1:${sshd.port}/${sshd.root}/app`
    const BACKUP_URL = `sftp://${place}?key-path=${sshd.keyPath}&host-key=${encodeURIComponent(sshd.hostKey)}`
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
