import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, readText, trackedFiles } from './support/workspace.ts'

const texts = trackedFiles(/\.(ts|js|json|md|yaml|yml|txt)$|^\.ci\/|^LICENSE$/).filter(
  (file) => file !== 'pnpm-lock.yaml',
)

/** Written with breaks in the words, so that this file does not find itself. */
const FORBIDDEN: readonly (readonly [string, RegExp])[] = [
  ['a path of one machine', /(?<![\w.])\/(?:wo[r]k|ro[o]t|ho[m]e\/\w+)\/[\w.]/],
  [
    'the host of a package registry',
    /\bregist[r]y\.[a-z]+|un[p]kg\.com|jsdel[i]vr|pypi\.o[r]g|deb\.de[b]ian/,
  ],
  ['work left undone', /\bTO[D]O\b|\bFIX[M]E\b|\bX[X]X\b/],
  ['a private key', /BEGIN [A-Z ]*PRIVATE K[E]Y/],
]

test.each(FORBIDDEN)('no tracked file contains %s', (_, pattern) => {
  const found = texts.flatMap((file) =>
    readText(file)
      .split('\n')
      .filter((line) => pattern.test(line))
      .map((line) => `${file}: ${line.trim().slice(0, 120)}`),
  )
  expect(found).toEqual([])
})

test('no test is skipped or singled out without a condition', () => {
  const found = trackedFiles(/test\/.*\.ts$/).flatMap((file) =>
    readText(file)
      .split('\n')
      .filter((line) => /\b(?:test|it|describe)\.(?:sk[i]p|on[l]y|to[d]o)\(/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  )
  expect(found).toEqual([])
})

test('nothing that a build makes is tracked, and no tracked file is large', () => {
  expect(trackedFiles(/(^|\/)(dist|node_modules|\.turbo)\/|\.tsbuildinfo$|\.tgz$/)).toEqual([])
  expect(trackedFiles(/./).filter((file) => statSync(join(ROOT, file)).size > 1 << 20)).toEqual([])
})

test('every package has a README and every source file in src is under 300 lines', () => {
  const folders = new Set(
    trackedFiles(/^(packages|apps)\/[^/]+\/package\.json$/).map((file) => file.replace('/package.json', '')),
  )
  const readmes = new Set(trackedFiles(/README\.md$/))
  expect([...folders].filter((folder) => !readmes.has(`${folder}/README.md`))).toEqual([])
  const long = trackedFiles(/^(packages|apps)\/[^/]+\/src\/.*\.ts$/).filter(
    (file) => readText(file).split('\n').length > 300,
  )
  expect(long).toEqual([])
})
