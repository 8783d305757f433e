import { expect, it } from 'vitest'
import { type ModelOptions, search } from './protocol-model.ts'

/** SQLSTREAM_MODEL_TAKES=3 visits 1.25 million states instead of 84 thousand, and found no more. */
const TAKES = Number(process.env['SQLSTREAM_MODEL_TAKES'] ?? 2)
const BOUNDS: ModelOptions = { commits: 1, takes: TAKES, gap: 2 }

it('E1, E2, E6, E8: in no interleaving of two writers do their histories mix, epochs repeat, or a file counts that the next holder has not seen', () => {
  const { states, violation, seen } = search(BOUNDS)
  expect(violation).toBeUndefined()
  expect(states).toBeGreaterThan(50_000)
  // The search is worth something only if it went everywhere.
  expect([...seen].sort()).toEqual([
    'acknowledges',
    'announces a base',
    'answer is lost',
    'commits',
    'finds out',
    'gives up waiting',
    'is fenced by a file',
    'lists',
    'looks',
    'meets a late file',
    'put arrives',
    'releases',
    'renews',
    'sends',
    'takes the lease',
    'tick',
  ])
})

it.each([
  ['takes the lease before its time', { hasty: 1 }],
  ['begins a new base right behind the head', { gap: 0 }],
  ['believes an answer that came late', { credulous: true }],
  ['writes without a look at the age of its lease', { heedless: true }],
  ['leaves no tombstone', { forgetful: true }],
  ['sends bases without a word', { silent: true }],
  ['forgets at the release what is on its way', { careless: true }],
])('the search finds what is wrong with a protocol that %s', (_, broken) => {
  const { violation } = search({ ...BOUNDS, ...broken })
  expect(violation).toBeDefined()
})
