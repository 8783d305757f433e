// The long run of packages/replica-core/test/oracle.soak.test.ts: `pnpm soak -- --minutes 60`. Without options a minute.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  // pnpm hands its own separator on.
  args: process.argv.slice(2).filter((word) => word !== '--'),
  options: {
    minutes: { type: 'string', default: '1' },
    /** Commits a second, of all writers together. */
    rate: { type: 'string' },
    seed: { type: 'string' },
  },
})
const seconds = Math.round(Number(values.minutes) * 60)
if (!(seconds > 0)) throw new RangeError(`--minutes ${values.minutes} is no time`)
const { status } = spawnSync('npx', ['vitest', 'run', '--config', 'vitest.soak.config.ts'], {
  cwd: fileURLToPath(new URL('../packages/replica-core/', import.meta.url)),
  stdio: 'inherit',
  env: {
    ...process.env,
    SQLSTREAM_SOAK_SECONDS: String(seconds),
    ...(values.rate !== undefined && { SQLSTREAM_SOAK_RATE: values.rate }),
    ...(values.seed !== undefined && { SQLSTREAM_SEED: values.seed }),
  },
})
process.exitCode = status ?? 1
