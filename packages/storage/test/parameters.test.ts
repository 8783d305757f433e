import { expect, test } from 'vitest'
import { closest, type StorageError, urlParameters } from '../src/index.ts'

function refusal(text: string): StorageError {
  try {
    urlParameters(new URL(text), ['endpoint', 'part-size'], 'mine')
  } catch (error) {
    return error as StorageError
  }
  throw new Error(`${text} was accepted`)
}

test('known parameters are given, decoded', () => {
  const url = new URL('mine://bucket/path?endpoint=http%3A%2F%2Fa%2Bb&part-size=')
  expect([...urlParameters(url, ['endpoint', 'part-size'], 'mine')]).toEqual([
    ['endpoint', 'http://a+b'],
    ['part-size', ''],
  ])
})

test('an unknown one is refused and the nearest named', () => {
  expect(refusal('mine://bucket?endpont=x')).toMatchObject({
    code: 'invalid-config',
    driver: 'mine',
    operation: 'open',
    message: 'mine://bucket?endpont=*** has an unknown parameter "endpont"',
    hint: 'Did you mean endpoint?',
  })
  expect(refusal('mine://bucket?frob=1').hint).toBe('Known: endpoint, part-size.')
})

test('one given twice is refused: nobody knows which is meant', () => {
  expect(refusal('mine://bucket?part-size=1&part-size=2').message).toMatch(/has "part-size" twice$/)
})

test('a secret whose name was forgotten is not shown', () => {
  const { message, hint } = refusal('mine://bucket?wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
  expect(`${message} ${hint}`).not.toMatch(/wJal|EXAMPLEKEY/)
})

test('a suggestion is near, or there is none', () => {
  expect(closest('restor', ['restore', 'replicate'])).toBe('restore')
  expect(closest('flie', ['file'])).toBe('file')
  expect(closest('s3', ['file'])).toBeUndefined()
})
