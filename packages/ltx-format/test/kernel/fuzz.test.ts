import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'
import { freshSeed } from './random.ts'

/** bench/fuzz.ts runs ten million; bench/FUZZ.md has the figure. */
const INPUTS = Number(process.env['SQLSTREAM_FUZZ_INPUTS'] ?? 200_000)

test('L2 P9: both kernels decode generated frames as the reference does and touch nothing outside their windows', () => {
  const counts = fuzz({ inputs: INPUTS, seed: freshSeed() })
  const share = (count: number): number => count / INPUTS
  // A grammar that is always right, or never, would show nothing.
  expect(share(counts.decoded)).toBeGreaterThan(0.2)
  expect(share(counts.badBlock)).toBeGreaterThan(0.2)
  expect(share(counts.badHeader)).toBeGreaterThan(0.005)
  expect(share(counts.incomplete)).toBeGreaterThan(0.02)
})
