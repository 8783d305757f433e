import { expect, test } from 'vitest'
import { rfc3339 } from '../src/index.ts'

test.each([
  ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05Z'],
  ['2026-01-02T03:00:00.000Z', '2026-01-02T03:00:00Z'],
  ['2026-01-02T03:04:50.670Z', '2026-01-02T03:04:50.67Z'],
  ['2026-01-02T03:04:05.600Z', '2026-01-02T03:04:05.6Z'],
  ['2026-01-02T03:04:05.006Z', '2026-01-02T03:04:05.006Z'],
])('%s is written as Go does: %s', (time, text) => {
  expect(rfc3339(new Date(time))).toBe(text)
  expect(new Date(text)).toEqual(new Date(time))
})

test('an invalid date is refused', () => {
  expect(() => rfc3339(new Date(Number.NaN))).toThrow(RangeError)
})
