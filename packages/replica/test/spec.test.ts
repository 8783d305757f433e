import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('each clause of SPEC.md has a test that names it, and no test names a clause that is gone', () => {
  const spec = readFileSync(join(import.meta.dirname, '../SPEC.md'), 'utf8')
  const clauses = [...spec.matchAll(/\*\*([A-Z]\d+)\*\*/g)].map(([, clause]) => clause)
  const named = new Set<string>()
  for (const name of readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'))) {
    // The beginning of a title: "K2, T49: …".
    for (const [, list = ''] of readFileSync(join(import.meta.dirname, name), 'utf8').matchAll(
      /\(\s*'([A-Z0-9, ]+): /g,
    )) {
      for (const id of list.split(', ')) named.add(id)
    }
  }
  // Planner cases are named by their file: "p3-latest.txt".
  for (const name of readdirSync(join(import.meta.dirname, 'testdata')))
    named.add(name.split('-')[0]!.toUpperCase())
  expect([...named].filter((id) => !id.startsWith('T')).sort()).toEqual(clauses.sort())
})
