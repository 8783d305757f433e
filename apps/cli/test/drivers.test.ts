import { describe, expect, test } from 'vitest'
import { BUILT_IN_DRIVERS } from '../src/drivers.ts'

describe.each(Object.entries(BUILT_IN_DRIVERS))('%s://', (scheme, load) => {
  test('names a driver that has this scheme', async () => {
    const driver = await load()
    expect(driver.schemes).toContain(scheme)
    expect(driver.name).toMatch(/^[a-z0-9-]+$/)
  })

  test('every scheme of its driver has a line in the table', async () => {
    for (const each of (await load()).schemes) expect(Object.keys(BUILT_IN_DRIVERS)).toContain(each)
  })
})
