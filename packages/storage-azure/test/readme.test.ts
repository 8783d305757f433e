import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { azuriteForTests } from './azurite.ts'

const azurite = azuriteForTests()
const packageFolder = join(import.meta.dirname, '..')
const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8')

test('the example of the README compiles and prints what it says', async () => {
  const [, code] = /^```ts example.ts\n(.*?)^```$/ms.exec(readme)!
  const [, printed] = /^```text\n(.*?)^```$/ms.exec(readme)!
  // In the package, so that its own name resolves.
  mkdirSync(join(packageFolder, 'dist'), { recursive: true })
  const folder = mkdtempSync(join(packageFolder, 'dist', 'readme-'))
  try {
    writeFileSync(join(folder, 'example.ts'), code!)
    const config = { extends: '../../test/tsconfig.json', include: ['.'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const { account, accountKey, endpoint } = azurite.azurite
    const env = {
      ...process.env,
      BACKUP_URL: `abs://${account}@${await azurite.container()}/app?endpoint=${endpoint}`,
      AZURE_STORAGE_KEY: accountKey,
    }
    // Not synchronous: Azurite is a child of this process, but its output comes through here.
    const node = async (...args: string[]) =>
      (await promisify(execFile)(process.execPath, args, { cwd: folder, env })).stdout
    expect(await node(join(packageFolder, 'node_modules/typescript/bin/tsc'), '-p', '.')).toBe('')
    expect(await node('--conditions=@sqlstream/source', 'example.ts')).toBe(printed)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the README names every variable and parameter, and the version of the emulator', () => {
  const source = readFileSync(join(packageFolder, 'src/options.ts'), 'utf8')
  const names = [...source.matchAll(/env\['(\w+)'\]/g)].map(([, name]) => name!)
  expect(names.length).toBeGreaterThan(7)
  for (const name of names) expect(readme).toContain(`\`${name}\``)
  for (const parameter of ['account', 'endpoint', 'concurrency']) expect(readme).toContain(`?${parameter}=`)
  const { catalogs } = { catalogs: readFileSync(join(packageFolder, '../../pnpm-workspace.yaml'), 'utf8') }
  const [, version] = /^ {2}azurite: (.*)$/m.exec(catalogs)!
  expect(readme).toContain(`Azurite ${version}`)
})
