import { readText, trackedFiles } from './workspace.ts'

/** A test as its source names it. */
export interface TestTitle {
  readonly title: string
  readonly file: string
}

const CALL = /\b(?:test|it|describe)(?:\.\w+(?:\([^)]*\))?)*\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g
const NAME = /\bname:\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g

/** Titles of all tests, and names of the conformance cases, which are tests as data. */
export function testTitles(): TestTitle[] {
  return trackedFiles(/(^|\/)(test|src\/cases)\/.*\.ts$/).flatMap((file) => {
    const text = readText(file)
    const pattern = file.includes('/src/cases/') ? NAME : CALL
    return [...text.matchAll(pattern)].map((match) => ({
      title: (match[2] ?? '').replaceAll(/\\(.)/g, '$1'),
      file,
    }))
  })
}
