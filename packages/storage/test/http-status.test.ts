import { expect, test } from 'vitest'
import { codeOfStatus } from '../src/index.ts'

test.each([
  [400, 'unknown'],
  [401, 'permission-denied'],
  [403, 'permission-denied'],
  [404, 'not-found'],
  [408, 'timeout'],
  [409, 'unknown'],
  [412, 'precondition-failed'],
  [416, 'range-not-satisfiable'],
  [429, 'rate-limited'],
  [500, 'unavailable'],
  [501, 'unsupported'],
  [503, 'unavailable'],
  [599, 'unavailable'],
  [600, 'unknown'],
])('%i means %s', (status, code) => {
  expect(codeOfStatus(status)).toBe(code)
})
