import { basename } from 'node:path'
import { readText, trackedFiles } from './workspace.ts'

/** A test as its source names it. */
export interface TestTitle {
  readonly title: string
  readonly file: string
}

const CALL = /\b(?:test|it|describe)(?:\.\w+(?:\([^)]*\))?)*\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g
const NAME = /\bname:\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g

/** A row of a table of cases that opens with the number of a clause or a scenario: `'H3: unknown flags'`. */
const ROW = /(['"`])([A-Z]{1,2}\d{1,3}[a-d]?(?:, [A-Z]{1,2}\d{1,3}[a-d]?)*:? (?:\\.|(?!\1)[^\\\n])*)\1/g

/** Titles of all tests, and names of the conformance cases, which are tests as data. */
export function testTitles(): TestTitle[] {
  const written = trackedFiles(/(^|\/)(test|src\/cases)\/.*\.ts$/).flatMap((file) => {
    const text = readText(file)
    const patterns = file.includes('/src/cases/') ? [NAME] : [CALL, ROW]
    const matches = patterns.flatMap((pattern) => [...text.matchAll(pattern)])
    return matches.map((match) => ({
      title: (match[2] ?? '').replaceAll(/\\(.)/g, '$1'),
      file,
    }))
  })
  // Cases as text files are named after the clause: `p3-latest.txt`.
  const cases = trackedFiles(/\/test\/testdata\/[a-z]+\d+-[^/]*\.txt$/).map((file) => {
    const [id = '', ...words] = basename(file, '.txt').split('-')
    return { title: `${id.toUpperCase()}: ${words.join(' ')}`, file }
  })
  return [...written, ...cases]
}
