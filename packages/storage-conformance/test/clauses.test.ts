import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { conformanceTests } from '../src/index.ts'

const contract = readFileSync(new URL('../../storage/CONTRACT.md', import.meta.url), 'utf8')

/** Numbers of the clauses that a contract states. */
function statedIn(text: string): string[] {
  return [...text.matchAll(/^- \*\*(S\d+)\*\*/gm)].map(([, clause]) => clause!)
}

/** Numbers of the clauses that test names cite before their colon. */
function citedIn(names: readonly string[]): string[] {
  return names.flatMap((name) => name.slice(0, name.indexOf(':')).match(/\bS\d+\b/g) ?? [])
}

test('every clause of CONTRACT.md has a conformance test', () => {
  const cited = new Set(citedIn(conformanceTests.map(({ name }) => name)))
  expect(statedIn(contract).filter((clause) => !cited.has(clause))).toEqual([])
})

test('every conformance test cites a clause that exists', () => {
  const stated = new Set(statedIn(contract))
  for (const { name } of conformanceTests) {
    expect(citedIn([name]), name).not.toEqual([])
    for (const clause of citedIn([name])) expect(stated, name).toContain(clause)
  }
})

test('clauses are numbered from 1 without holes, and test names are unique', () => {
  expect(statedIn(contract)).toEqual(statedIn(contract).map((_, i) => `S${i + 1}`))
  expect(statedIn(contract).length).toBeGreaterThan(30)
  expect(new Set(conformanceTests.map(({ name }) => name)).size).toBe(conformanceTests.length)
})

test('a clause without a test is found', () => {
  expect(statedIn('- **S1** a\n- **S2** b\n')).toEqual(['S1', 'S2'])
  expect(citedIn(['S2 S7: S9 is no citation'])).toEqual(['S2', 'S7'])
})
