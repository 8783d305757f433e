import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { RUN } from './support/run-cli.ts'

test.each(['--help', 'restore --help', 'ltx dump --help'])(
  'a reader that stops reading (%s | head -1) is no failure and brings no warning',
  (args) => {
    const script = `"$0" "$1" ${args} | head -c 1 >/dev/null; exit "\${PIPESTATUS[0]}"`
    const { status, stderr } = spawnSync('bash', ['-c', script, process.execPath, RUN], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  },
)
