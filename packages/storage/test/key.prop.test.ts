import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isKey, isKeyPrefix, MAX_KEY_LENGTH, MAX_SEGMENT_LENGTH } from '../src/index.ts'

const character = fc.constantFrom(...'abAB09._-')
const segment = fc
  .string({ unit: character, minLength: 1, maxLength: 6 })
  .filter((s) => s !== '.' && s !== '..')
const key = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))

test('joined segments are a key, and each part of it from the left is a prefix', () => {
  fc.assert(
    fc.property(key, (text) => {
      expect(isKey(text)).toBe(true)
      for (let end = 0; end <= text.length; end++) expect(isKeyPrefix(text.slice(0, end))).toBe(true)
    }),
  )
})

test('a prefix can be completed to a key, and what is no prefix cannot', () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab./-'), maxLength: 8 })
  fc.assert(
    fc.property(text, (prefix) => {
      expect(['a', 'a/a', '.a'].some((end) => isKey(prefix + end))).toBe(isKeyPrefix(prefix))
    }),
  )
})

test('comparing keys as strings is comparing their bytes', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))).toBe(a < b ? -1 : a > b ? 1 : 0)
    }),
  )
})

test('the longest key and segment are legal, one more is not', () => {
  const longest = `${'x/'.repeat(MAX_KEY_LENGTH / 2 - 1)}xx`
  expect([longest.length, isKey(longest), isKey(`${longest}x`)]).toEqual([MAX_KEY_LENGTH, true, false])
  expect([isKey('x'.repeat(MAX_SEGMENT_LENGTH)), isKey('x'.repeat(MAX_SEGMENT_LENGTH + 1))]).toEqual([
    true,
    false,
  ])
  expect(isKeyPrefix(`a/${'x'.repeat(MAX_SEGMENT_LENGTH + 1)}`)).toBe(false)
})
