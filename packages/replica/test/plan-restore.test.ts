import { join } from 'node:path'
import { toTXID } from '@sqlstream/ltx'
import { expect, test } from 'vitest'
import {
  createCatalog,
  findGaps,
  headOf,
  isReplicaError,
  planRestore,
  type RestoreTarget,
  restorableTXIDs,
} from '../src/index.ts'
import { fileName as name, parseCatalog, parseFile, rangeText as range } from './catalog-text.ts'
import { testDataFiles } from './datadriven.ts'

function parseTarget(words: readonly string[]): RestoreTarget {
  const [kind, value, strict] = words
  if (kind === 'txid') return { kind, txid: toTXID(BigInt(value as string)) }
  if (kind === 'time') {
    const timestamp = new Date(Number(value) * 1000)
    return { kind: 'timestamp', timestamp, ...(strict === 'strict' && { strict: true }) }
  }
  return { kind: 'latest' }
}

testDataFiles(join(import.meta.dirname, 'testdata'), () => {
  let catalog = createCatalog([])
  return (line, input) => {
    const [command, ...words] = line.split(' ')
    if (command === 'catalog') {
      catalog = parseCatalog(input)
      const gaps = findGaps(catalog).map(range).join(' ') || 'none'
      const points = restorableTXIDs(catalog).join(' ') || 'none'
      return `head ${headOf(catalog) ?? 'none'}; gaps ${gaps}; restorable ${points}`
    }
    if (command !== 'plan') throw new Error(`not a command: ${line}`)
    try {
      const plan = planRestore(catalog, parseTarget(words))
      const time = plan.timestamp ? ` @${plan.timestamp.getTime() / 1000}` : ''
      const distance = plan.distanceMs === undefined ? '' : `, ${plan.distanceMs / 1000} s before the wish`
      return `${plan.files.map(name).join(', ')} = ${plan.txid}${time}${distance}`
    } catch (error) {
      if (error instanceof TypeError) return `TypeError: ${error.message}`
      if (!isReplicaError(error)) throw error
      return [`${error.code}: ${error.message}`, ...(error.hint ? [`  ${error.hint}`] : [])].join('\n')
    }
  }
})

test('P5: prefers one merged file to many small ones of nearly the same total size', () => {
  const small = Array.from({ length: 100 }, (_, i) => `L0 ${i + 2} 900`)
  const plan = planRestore(parseCatalog(['L9 1 5000', 'L1 2-101 91000', ...small]), { kind: 'latest' })
  expect(plan.files.map(name)).toEqual(['L9 1', 'L1 2-101'])
})

test('T26: the order of a listing does not matter', () => {
  const lines = ['L0 10', 'L0 11', 'L1 1-4', 'L1 5-7', 'L1 8-9', 'L2 1-7', 'L9 1-7']
  const expected = planRestore(parseCatalog(lines), { kind: 'latest' })
  for (let i = 0; i < lines.length; i++) {
    lines.push(lines.shift() as string)
    for (const order of [lines, lines.toReversed()]) {
      expect(planRestore(parseCatalog(order), { kind: 'latest' })).toEqual(expected)
    }
  }
})

test('plans over a hundred thousand files in well under a second', () => {
  const files = Array.from({ length: 100_000 }, (_, i) => parseFile(`L0 ${i + 2}`))
  const catalog = createCatalog([parseFile('L9 1'), ...files])
  const started = performance.now()
  expect(planRestore(catalog, { kind: 'latest' }).files.length).toBe(100_001)
  expect(performance.now() - started).toBeLessThan(3000)
})
