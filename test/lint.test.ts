import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, tool } from './support/workspace.ts'

const MUST_FIRE = [
  'lint/nursery/noFloatingPromises',
  'lint/nursery/noMisusedPromises',
  'lint/nursery/useExhaustiveSwitchCases',
  'lint/style/noDefaultExport',
  'lint/suspicious/noExplicitAny',
]

test('the lint rules that the repository relies on reject the canary', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sqlstream-lint-'))
  try {
    copyFileSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'))
    mkdirSync(join(folder, 'src'))
    copyFileSync(join(ROOT, 'test/fixtures/lint-canary.txt'), join(folder, 'src/canary.ts'))
    const args = ['lint', '--vcs-enabled=false', '--reporter=json', '.']
    const { status, stdout } = spawnSync(tool('biome'), args, { cwd: folder, encoding: 'utf8' })
    expect(status).not.toBe(0)
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string; severity: string }[] }
    const fired = diagnostics.filter((each) => each.severity === 'error').map((each) => each.category)
    expect(fired.sort()).toEqual(MUST_FIRE)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
