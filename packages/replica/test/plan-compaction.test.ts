import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type CompactionPolicy,
  checkLevels,
  createCatalog,
  type Merge,
  planCompaction,
  planSnapshot,
} from '../src/index.ts'
import { fileName, parseCatalog, parseFile } from './catalog-text.ts'
import { testDataFiles } from './datadriven.ts'

function policyOf(words: readonly string[]): CompactionPolicy {
  const numbers = new Map(
    words.flatMap((word) => (word.includes('=') ? [word.split('=') as [string, string]] : [])),
  )
  const number = (name: string): number | undefined =>
    numbers.has(name) ? Number(numbers.get(name)) : undefined
  return {
    ...(number('max') !== undefined && { maxInputs: number('max')! }),
    ...(number('jitter') !== undefined && { jitter: number('jitter')! }),
    snapshots: words.includes('never')
      ? 'never'
      : number('growth') === undefined
        ? {}
        : { growth: number('growth')! },
  }
}

function mergeText({ level, inputs }: Merge): string {
  return `L${level} of ${inputs.map(fileName).join(', ')}`
}

testDataFiles(
  join(import.meta.dirname, 'testdata'),
  () => {
    let catalog = createCatalog([])
    return (line, input) => {
      const [command, ...words] = line.split(' ')
      switch (command) {
        case 'catalog':
          catalog = parseCatalog(input)
          return ''
        case 'plan': {
          const { merges, nextAt } = planCompaction(catalog, Number(words[0]) * 1000, policyOf(words))
          const lines = merges.map(mergeText)
          return [...lines, nextAt === undefined ? 'then nothing' : `then at ${nextAt / 1000}`].join('\n')
        }
        case 'snapshot': {
          const merge = planSnapshot(catalog, policyOf(words))
          return merge ? mergeText(merge) : 'none'
        }
        default:
          throw new Error(`not a command: ${line}`)
      }
    }
  },
  /^c\d/,
)

test('C1: levels are checked', () => {
  expect(checkLevels({ every: [1000, 2000] })).toEqual({ every: [1000, 2000] })
  expect(checkLevels({ every: [] })).toEqual({ every: [] })
  for (const every of [
    [0],
    [1.5],
    [1000, 1000],
    [1000, 1500],
    [2000, 1000],
    Array.from({ length: 9 }, (_, i) => 2 ** i),
  ]) {
    expect(() => checkLevels({ every })).toThrow(RangeError)
  }
  expect(() => planCompaction(createCatalog([]), 0, { maxInputs: 1 })).toThrow(RangeError)
})

test('C1, T27: a backlog of twenty thousand files is planned as merges of at most two hundred', () => {
  const catalog = createCatalog([
    parseFile('L9 1 1000 @0'),
    ...Array.from({ length: 20_000 }, (_, i) => parseFile(`L0 ${i + 2} 1000 @${i}`)),
  ])
  expect(planCompaction(catalog, 1e9).merges.length).toBe(667)
})
