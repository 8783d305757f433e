import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const folder = dirname(fileURLToPath(import.meta.url))

/** Clause numbers in the titles of the tests of this package. */
function citedClauses(): Set<string> {
  const sources = readdirSync(folder).filter(
    (name) => name.endsWith('.test.ts') && !name.startsWith('format-clauses'),
  )
  const titles = sources.flatMap(
    (name) => readFileSync(join(folder, name), 'utf8').match(/['"`][A-Z]\d+(?: [A-Z]\d+)*: /g) ?? [],
  )
  return new Set(titles.flatMap((title) => title.match(/[A-Z]\d+/g) ?? []))
}

test('every clause of FORMAT.md is cited by the title of a test', () => {
  const format = readFileSync(join(folder, '../FORMAT.md'), 'utf8')
  const clauses = [...format.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map((match) => match[1]!)
  expect(clauses.length).toBeGreaterThan(40)
  const cited = citedClauses()
  expect(clauses.filter((clause) => !cited.has(clause))).toEqual([])
})
