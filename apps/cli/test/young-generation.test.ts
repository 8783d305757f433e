import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** Creates objects of which many stay for a while, and prints how large the young generation is afterwards, bytes. */
function youngGeneration(isBounded: boolean): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { boundYoungGeneration } from ${JSON.stringify(new URL('../src/young-generation.ts', import.meta.url).href)}
    if (${isBounded}) boundYoungGeneration()
    const kept = []
    for (let i = 0; i < 2e6; i++) {
      kept.push({ i, pair: [i, i] })
      if (kept.length > 200_000) kept.length = 0
    }
    console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size)
  `
  return Number(
    execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }),
  )
}

test('the young generation stays as it is, where V8 would let it grow', () => {
  const unbounded = youngGeneration(false)
  expect(unbounded).toBeGreaterThan(30e6)
  expect(youngGeneration(true)).toBeLessThan(unbounded / 4)
})
