import { describe, expect, test } from 'vitest'
import { testTitles } from './support/test-titles.ts'
import { readText, trackedFiles } from './support/workspace.ts'

/** A clause opens a line: `S7: …`, `- **S7** …`, `### S7 …`, `| S7 | …`. */
const CLAUSE = /^(?:[-*|#>]+\s*)?\*{0,2}([A-Z]{1,2}\d{1,3})\b\*{0,2}[.:]?\*{0,2}(?:\s|$)/

function clausesOf(file: string): string[] {
  const found = readText(file)
    .split('\n')
    .map((line) => CLAUSE.exec(line)?.[1])
    .filter((clause) => clause !== undefined)
  return [...new Set(found)]
}

/** Which clauses a title names: `S7: …`, `S7, S9: …`, `F1-F3: …` is not a form we use. */
function citedBy(folder: string): Set<string> {
  const own = testTitles().filter(({ file }) => belongs(file, folder))
  return new Set(own.flatMap(({ title }) => title.match(/\b[A-Z]{1,2}\d{1,3}\b/g) ?? []))
}

/** The storage contract is proven by the conformance package and by the drivers that run it. */
function belongs(file: string, folder: string): boolean {
  return (
    file.startsWith(`${folder}/`) ||
    (folder === 'packages/storage' && file.startsWith('packages/storage-conformance/'))
  )
}

const documents = trackedFiles(/^packages\/[^/]+\/(FORMAT|CONTRACT|SPEC)\.md$/)

test('the format, the contract and the capture specification are among the documents with clauses', () => {
  const names = documents.map((file) => file.replace(/^packages\//, ''))
  expect(names).toEqual(
    expect.arrayContaining(['ltx-format/FORMAT.md', 'storage/CONTRACT.md', 'replica-core/SPEC.md']),
  )
})

describe.each(documents)('%s', (file) => {
  test('has numbered clauses', () => {
    expect(clausesOf(file).length).toBeGreaterThan(5)
  })

  test('has for every clause a test that names it in its title', () => {
    const cited = citedBy(file.split('/').slice(0, 2).join('/'))
    expect(clausesOf(file).filter((clause) => !cited.has(clause))).toEqual([])
  })
})
