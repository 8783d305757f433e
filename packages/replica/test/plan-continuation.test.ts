import { toTXID } from '@sqlstream/ltx'
import { Random } from '@sqlstream/testkit'
import { describe, expect, test } from 'vitest'
import { createCatalog, type LTXFile, planContinuation } from '../src/index.ts'
import { PageSet } from '../src/restore/page-set.ts'

/** A catalog from short forms: `level:min-max`, with a size of 1000 bytes. */
function catalogOf(...specs: readonly string[]): ReturnType<typeof createCatalog> {
  return createCatalog(
    specs.map((spec): LTXFile => {
      const [, level = '', min = '', max = ''] = /^(\d):(\d+)-(\d+)$/.exec(spec) as RegExpExecArray
      const range = { minTXID: toTXID(BigInt(min)), maxTXID: toTXID(BigInt(max)) }
      return { ...range, key: spec, level: Number(level), size: 1000, modified: new Date(0) }
    }),
  )
}

function plan(from: number, specs: readonly string[], avoid: readonly string[] = []) {
  const { files, ...rest } = planContinuation(catalogOf(...specs), toTXID(BigInt(from)), {
    avoid: new Set(avoid),
  })
  return { files: files.map(({ key }) => key).join(' '), ...rest }
}

describe('planContinuation', () => {
  test.each([
    ['captures in order', 3, ['9:1-3', '0:4-4', '0:5-5'], '0:4-4 0:5-5'],
    ['one wide file rather than many', 3, ['9:1-3', '0:4-4', '0:5-5', '0:6-6', '1:4-6'], '1:4-6'],
    ['a merge that begins before the copy', 5, ['9:1-3', '1:4-7', '0:8-8'], '1:4-7 0:8-8'],
    ['nothing when it is the head', 5, ['9:1-3', '0:4-4', '0:5-5'], ''],
    ['no snapshot where files lead on', 5, ['9:1-8', '0:6-6', '0:7-7', '0:8-8'], '0:6-6 0:7-7 0:8-8'],
    ['as far as files lead', 3, ['9:1-3', '0:4-4', '0:6-6'], '0:4-4'],
  ] as const)('%s', (_, from, specs, files) => {
    expect(plan(from, specs).files).toBe(files)
  })

  test('a hole that a snapshot ends behind', () => {
    const specs = ['9:1-3', '0:4-4', '0:6-6', '9:1-7', '0:8-8']
    expect(plan(3, specs)).toEqual({ files: '0:4-4', txid: 4n, head: 8n, bySnapshot: 8n })
  })

  test('a hole that nothing ends behind says what is missing', () => {
    expect(plan(3, ['9:1-3', '0:4-4', '0:7-7', '0:8-8'])).toEqual({
      files: '0:4-4',
      txid: 4n,
      head: 8n,
      missing: '0000000000000005 to 0000000000000006',
    })
  })

  test('a replica that ends before the copy, and one that is empty', () => {
    expect(plan(9, ['9:1-3', '0:4-4'])).toEqual({ files: '', txid: 9n, head: 4n })
    expect(plan(9, [])).toEqual({ files: '', txid: 9n })
  })

  test('files that must not be used are bridged, or missing', () => {
    const specs = ['9:1-3', '0:4-4', '0:5-5', '1:4-5']
    expect(plan(3, specs, ['1:4-5']).files).toBe('0:4-4 0:5-5')
    expect(plan(3, specs, ['0:4-4', '1:4-5'])).toMatchObject({ files: '', missing: '0000000000000004' })
  })

  test('whatever there is, each file continues the one before, and no later state could be reached', () => {
    const random = new Random(9)
    for (let round = 0; round < 500; round++) {
      const specs = Array.from({ length: random.integer(0, 12) }, () => {
        const min = random.integer(2, 12)
        return `${random.below(3)}:${min}-${random.integer(min, 14)}`
      })
      const from = random.integer(1, 10)
      const catalog = catalogOf(...new Set(specs))
      const { files, txid } = planContinuation(catalog, toTXID(BigInt(from)))
      let at = BigInt(from)
      for (const { minTXID, maxTXID } of files) {
        expect(minTXID <= at + 1n && maxTXID > at).toBe(true)
        at = maxTXID
      }
      expect(at).toBe(txid)
      const reachable = new Set([BigInt(from)])
      for (let i = 0; i < 20; i++) {
        for (const spec of specs) {
          const [, min = '', max = ''] = /:(\d+)-(\d+)/.exec(spec) as RegExpExecArray
          const starts = [...reachable].some((txid) => txid + 1n >= BigInt(min) && txid < BigInt(max))
          if (starts) reachable.add(BigInt(max))
        }
      }
      expect(Number(txid)).toBe(Math.max(...[...reachable].map(Number)))
    }
  })
})

test('a page is taken out of a set once', () => {
  const set = new PageSet(70)
  for (const pgno of [1, 33, 70]) set.add(pgno)
  set.delete(33)
  set.delete(33)
  set.delete(99)
  expect([set.count, set.has(1), set.has(33), set.has(70)]).toEqual([2, true, false, true])
})
