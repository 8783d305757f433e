// The long form: pnpm campaign --faults 2000 --seed 1 --seconds 3600 --bursts 0.4 --out result.json --keep folder
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { campaign } from './campaign.ts'

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string' },
    bursts: { type: 'string', default: '0.4' },
    out: { type: 'string' },
    keep: { type: 'string' },
  },
})
const result = await campaign({
  faults: Number(values.faults),
  seed: Number(values.seed),
  bursts: Number(values.bursts),
  ...(values.seconds !== undefined && { seconds: Number(values.seconds) }),
  ...(values.keep !== undefined && { keep: values.keep }),
  onProgress: (line) => console.error(line),
})
const text = `${JSON.stringify(result, null, 2)}\n`
if (values.out !== undefined) writeFileSync(values.out, text)
process.stdout.write(text)
process.exitCode = result.failures.length > 0 ? 1 : 0
