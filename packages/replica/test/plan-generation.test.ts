import type { BlobInfo } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { sortGenerations } from '../src/generations/generation-catalog.ts'
import {
  type GenerationCatalog,
  type GenerationTarget,
  isReplicaError,
  planGeneration,
} from '../src/index.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'

/** `A s1@20` is a snapshot of index 1 that arrived at second 20, `A w1+40@21` a segment of index 1 at offset 0x40. */
function catalogOf(...lines: string[]): GenerationCatalog {
  const objects: BlobInfo[] = lines.flatMap((line) => {
    const [name, ...words] = line.split(' ')
    const folder = `generations/${name === 'A' ? A : B}`
    return words.map((word) => {
      const [, kind, index = '', offset = '', time = ''] =
        /^([sw])(\d+)(?:\+([0-9a-f]+))?@(\d+)$/.exec(word) ?? []
      const hex = index.padStart(8, '0')
      const key =
        kind === 's'
          ? `${folder}/snapshots/${hex}.snapshot.lz4`
          : `${folder}/wal/${hex}_${offset.padStart(8, '0')}.wal.lz4`
      return { key, size: 100, modified: new Date(Number(time) * 1000), etag: 'x' } as unknown as BlobInfo
    })
  })
  return sortGenerations(objects)
}

function at(seconds: number, generation?: string): GenerationTarget {
  return { kind: 'timestamp', timestamp: new Date(seconds * 1000), generation }
}

/** The plan in short, or the error's code. */
function planned(catalog: GenerationCatalog, target: GenerationTarget = { kind: 'latest' }): string {
  try {
    const { generation, snapshot, segments, following, timestamp } = planGeneration(catalog, target)
    const words = segments.map(({ index, offset }) => `w${index}+${offset.toString(16)}`)
    const rest = following ? [`then w${following.index}+${following.offset.toString(16)}`] : []
    const name = generation === A ? 'A' : 'B'
    return [name, `s${snapshot.index}`, ...words, `@${timestamp.getTime() / 1000}`, ...rest].join(' ')
  } catch (error) {
    if (!isReplicaError(error)) throw error
    return error.code
  }
}

test('G1: names that should be a snapshot or a segment and are not are refused, others are foreign', () => {
  const bad = [
    `${A}/snapshots/00000000.snapshot.lz4/x.lz4`,
    `${A}/snapshots/0.snapshot.lz4`,
    `${A}/snapshots/0000000G.snapshot.lz4`,
    `${A}/wal/00000000.wal.lz4`,
    `${A}/wal/00000000_0000000.wal.lz4`,
    `${A}/wal/00000000_ffffffffffffffff.wal.lz4`,
    `${A}/wal/00000000-00000000.wal.lz4`,
    `${A.toUpperCase()}/wal/00000000_00000000.wal.lz4`,
    `short/wal/00000000_00000000.wal.lz4`,
    'x.lz4',
  ]
  for (const name of bad) {
    const object = { key: `generations/${name}`, size: 1, modified: new Date(0) } as unknown as BlobInfo
    expect(() => sortGenerations([object]), name).toThrow(
      expect.toSatisfy((error) => isReplicaError(error, 'bad-name')),
    )
  }
  for (const key of [
    `generations/${A}/wal/00000000_00000000.wal.lz4.tmp`,
    'generations/readme',
    'other/x.lz4',
  ]) {
    const object = { key, size: 1, modified: new Date(0) } as unknown as BlobInfo
    expect(sortGenerations([object]).generations.size).toBe(0)
  }
})

test('G2: of an instant the last segment counts that had arrived, in the order of the WAL', () => {
  const catalog = catalogOf('A s0@10 w0+0@11 w0+40@12 w1+0@15 w1+20@13')
  expect(planned(catalog)).toBe('A s0 w0+0 w0+40 w1+0 w1+20 @13')
  expect(planned(catalog, at(11))).toBe('A s0 w0+0 @11')
  expect(planned(catalog, at(12.5))).toBe('A s0 w0+0 w0+40 @12 then w1+0')
  // A clock that went back cannot hide a newer state.
  expect(planned(catalog, at(14))).toBe('A s0 w0+0 w0+40 w1+0 w1+20 @13')
  expect(planned(catalog, at(10.5))).toBe('target-before-first')
  expect(planGeneration(catalog, at(12.5)).distanceMs).toBe(500)
})

test('G2: a snapshot alone is a state while no WAL of its index or a later one has arrived', () => {
  expect(planned(catalogOf('A s0@10'))).toBe('A s0 @10')
  expect(planned(catalogOf('A s0@10'), at(9))).toBe('target-before-first')
  expect(planned(catalogOf('A s0@10 w0+0@11 s1@12'))).toBe('A s1 @12')
  expect(planned(catalogOf('A s0@10 w0+0@11 s1@12'), at(11))).toBe('A s0 w0+0 @11')
  // With its WAL it is one when that has begun.
  expect(planned(catalogOf('A s0@10 w0+0@11 s1@12 w1+0@13'), at(12))).toBe('A s0 w0+0 @11 then w1+0')
})

test('G3, T54: the generation that received something last by then is the one, whole or not', () => {
  const catalog = catalogOf('A s0@10 w0+0@11 w0+40@20', 'B s0@30 w0+0@31')
  expect(planned(catalog)).toBe('B s0 w0+0 @31')
  expect(planned(catalog, at(30))).toBe('A s0 w0+0 w0+40 @20')
  expect(planned(catalog, at(31))).toBe('B s0 w0+0 @31')
  expect(planned(catalog, { kind: 'latest', generation: A })).toBe('A s0 w0+0 w0+40 @20')
  expect(planned(catalog, at(25, B))).toBe('target-before-first')
  expect(planned(catalog, { kind: 'latest', generation: '0'.repeat(16) })).toBe('no-generation')
  // The newer one cannot be restored: that is the result, not the older one.
  expect(planned(catalogOf('A s0@10 w0+0@11', 'B w0+0@31'))).toBe('no-snapshot')
  expect(planned(catalogOf('A s0@10 w0+0@11', 'B s0@30 w0+40@31'))).toBe('gap')
  expect(planned(catalogOf('A s0@10 w0+0@11', 'B w3+0@20 s3@30 w3+40@31'), at(25))).toBe(
    'target-before-first',
  )
  expect(planned(catalogOf())).toBe('no-snapshot')
})

test('G4: the base is the newest snapshot that cannot hold what came after the state', () => {
  const catalog = catalogOf('A s0@10 w0+0@11 w1+0@20 w1+40@21 s1@25 w1+80@30 w2+0@40')
  expect(planned(catalog)).toBe('A s1 w1+0 w1+40 w1+80 w2+0 @40')
  expect(planned(catalog, at(25))).toBe('A s1 w1+0 w1+40 @21 then w1+80')
  expect(planned(catalog, at(24))).toBe('A s0 w0+0 w1+0 w1+40 @21 then w1+80')
  expect(planned(catalogOf('A w1+0@20 s1@25 w1+40@30'), at(22))).toBe('target-before-first')
})

test('G5: indexes follow one another, each from its beginning, from the base to the state and one further', () => {
  expect(planned(catalogOf('A s0@10 w0+40@12'))).toBe('gap')
  expect(planned(catalogOf('A s0@10 w0+0@11 w2+0@13'))).toBe('gap')
  expect(planned(catalogOf('A s0@10 w0+0@11 w1+40@13'))).toBe('gap')
  expect(planned(catalogOf('A s0@10 w1+0@13'))).toBe('gap')
  expect(planned(catalogOf('A s0@10 w0+0@11 w0+0@12'))).toBe('gap')
  const hole = catalogOf('A s0@10 w0+0@11 w0+40@12 w2+0@20 s2@20 w2+40@21')
  // After a later snapshot the hole is past.
  expect(planned(hole)).toBe('A s2 w2+0 w2+40 @21')
  expect(planned(hole, at(11.5))).toBe('A s0 w0+0 @11 then w0+40')
  expect(planned(hole, at(12))).toBe('A s0 w0+0 w0+40 @12')
  expect(planned(hole, at(13))).toBe('gap')
  expect(() => planGeneration(hole, at(13))).toThrow(
    expect.toSatisfy((error) => error.hint.includes('1970-01-01T00:00:12.000Z: give exactly this timestamp')),
  )
})

test('an instant that is none is a mistake of the caller', () => {
  const target = { kind: 'timestamp', timestamp: new Date('no') } as const
  expect(() => planGeneration(catalogOf('A s0@10'), target)).toThrow(RangeError)
})
