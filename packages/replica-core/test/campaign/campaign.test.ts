import { expect, it } from 'vitest'
import { campaign } from './campaign.ts'

/** The same each time: what other seeds find belongs into a test of its own, not into somebody's unrelated change. */
const SEED = Number(process.env['SQLSTREAM_SEED'] ?? 1)
const FAULTS = Number(process.env['SQLSTREAM_FAULTS'] ?? 240)

it(`P1, P2, P3, P6, T35: ${FAULTS} random faults lose nothing that was durable and damage nothing (seed ${SEED})`, {
  timeout: 900_000,
}, async () => {
  const result = await campaign({ seed: SEED, faults: FAULTS, seconds: 60 })
  console.info(JSON.stringify(result))
  expect(result.failures).toEqual([])
  // A restore at least after each row of faults, of which the longest has 17.
  expect(result.checkedRestores).toBeGreaterThan(result.faults / 18)
})
