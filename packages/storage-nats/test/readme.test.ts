import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { address, newBucket, reason } from './nats.ts'

const packageFolder = join(import.meta.dirname, '..')

test.skipIf(reason !== undefined)(
  reason ?? 'the example of the README compiles and prints what it says',
  async () => {
    const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8')
    const [, code] = /^```ts example.ts\n(.*?)^```$/ms.exec(readme)!
    const [, printed] = /^```text\n(.*?)^```$/ms.exec(readme)!
    // In the package, so that its own name resolves.
    mkdirSync(join(packageFolder, 'dist'), { recursive: true })
    const folder = mkdtempSync(join(packageFolder, 'dist', 'readme-'))
    try {
      writeFileSync(join(folder, 'example.ts'), code!)
      const config = { extends: '../../test/tsconfig.json', include: ['.'] }
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
      const { bucket } = await newBucket()
      const env = { ...process.env, BACKUP_URL: `nats://${address}/${bucket}/app` }
      const node = async (...args: string[]) =>
        (await promisify(execFile)(process.execPath, args, { cwd: folder, env })).stdout
      expect(await node(join(packageFolder, 'node_modules/typescript/bin/tsc'), '-p', '.')).toBe('')
      expect(await node('--conditions=@sqlstream/source', 'example.ts')).toBe(printed)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)
