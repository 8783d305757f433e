import { type Checksum, isLTXError, type LTXErrorCode, mergeFiles, toChecksum } from '@sqlstream/ltx'
import { SmallFiles } from '@sqlstream/ltx/small-files'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { header, makeFile, page, pageRange } from './files.ts'
import { collect, streamOf } from './golden.ts'
import { assemble, oldFrame } from './handmade.ts'

const refused = (code: LTXErrorCode) => expect.toSatisfy((e: unknown) => isLTXError(e, code))
const sum = (low: number): Checksum => toChecksum((1n << 63n) | BigInt(low))

/** All of them as one input. */
function together(...files: Uint8Array[]): SmallFiles {
  const group = new SmallFiles()
  for (const file of files) expect(group.add(file)).toBe(true)
  return group
}

test('whatever the history and however it is cut into groups and streams, the result is that of streams alone', async () => {
  const step = fc.record({
    commit: fc.integer({ min: 1, max: 40 }),
    touch: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 12 }),
    how: fc.constantFrom('group', 'group', 'group', 'stream', 'new group'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      let commit = 0
      const files = steps.map(({ commit: wanted, touch }, n) => {
        const before = commit
        // What it grows by is written, as SQLite does.
        const pgnos = new Set(touch.filter((pgno) => pgno <= wanted))
        for (let pgno = before + 1; n > 0 && pgno <= wanted; pgno++) pgnos.add(pgno)
        commit = wanted
        const pages = [...pgnos].sort((a, b) => a - b).map((pgno) => page(pgno, 512, n * 100 + pgno))
        return makeFile(header(n + 2, n + 2, commit), pages)
      })
      const inputs: Parameters<typeof mergeFiles>[0][number][] = []
      let group: SmallFiles | undefined
      for (const [n, bytes] of files.entries()) {
        if (steps[n]!.how !== 'group') group = undefined
        if (steps[n]!.how === 'stream') inputs.push(streamOf(bytes, 333))
        else if (group) expect(group.add(bytes)).toBe(true)
        else {
          group = together(bytes)
          inputs.push(group)
        }
      }
      const merged = await collect(mergeFiles(inputs))
      const expected = await collect(mergeFiles(files.map((bytes) => streamOf(bytes, 333))))
      expect(Buffer.compare(merged, expected)).toBe(0)
    }),
    { numRuns: 100 },
  )
})

test('more pages than a kernel decodes at once, and more than one batch', async () => {
  const many = pageRange(2, 4000)
  const file = makeFile(header(2, 2, 4000), many)
  const later = makeFile(header(3, 3, 4000), [page(9, 512, 77)])
  const merged = await collect(mergeFiles([together(file, later)]))
  const expected = await collect(mergeFiles([streamOf(file), streamOf(later)]))
  expect(Buffer.compare(merged, expected)).toBe(0)
  expect(expected.byteLength).toBeGreaterThan(3 * 256 * 1024)
})

test('of bytes that are changed, left out or added it takes what a decoder takes, and otherwise stays as it was', async () => {
  const first = makeFile(header(2, 2, 9), [page(3), page(4)])
  const bytes = makeFile(header(3, 3, 4), [page(1), page(4, 512, 9)])
  const group = together(first)
  const expected = await collect(mergeFiles([streamOf(first)]))
  const damaged = function* (): Generator<Uint8Array> {
    for (let at = 0; at < bytes.byteLength; at++) {
      const copy = Uint8Array.from(bytes)
      copy[at]! ^= 1 << (at % 8)
      yield copy
      yield bytes.subarray(0, at)
    }
    yield Uint8Array.from([...bytes, 0])
  }
  let taken = 0
  for (const each of damaged()) {
    // Another way to write the same page, for instance.
    const isSound = await collect(mergeFiles([streamOf(each)])).then(
      () => true,
      () => false,
    )
    expect((isSound ? together(first) : group).add(each)).toBe(isSound)
    if (isSound) taken++
  }
  expect(taken).toBeLessThan(10)
  expect(Buffer.compare(await collect(mergeFiles([group])), expected)).toBe(0)
  expect(group.add(bytes)).toBe(true)
})

test('snapshots, frames of the older kind and other page sizes are not taken', async () => {
  const group = together(makeFile(header(2, 2, 9), [page(3)]))
  expect(group.add(makeFile(header(1, 1, 3), pageRange(1, 3)))).toBe(false)
  expect(group.add(assemble(header(3, 3, 9), [oldFrame(page(3)), oldFrame(page(5))]))).toBe(false)
  expect(group.add(makeFile(header(3, 3, 9, { pageSize: 1024 }), [page(3, 1024)]))).toBe(false)
  expect(group.files.length).toBe(1)
  // A kernel of another page size is no obstacle for the first file.
  const other = new SmallFiles(group.kernel)
  expect(other.add(makeFile(header(3, 3, 9, { pageSize: 1024 }), [page(3, 1024)]))).toBe(true)
  expect(other.kernel).not.toBe(group.kernel)
  expect(new SmallFiles(group.kernel).kernel).toBe(group.kernel)
})

test('M1 M3: files of a group must belong together as others must', async () => {
  const file = (min: number, max: number) => makeFile(header(min, max, 9), [page(3)])
  await expect(collect(mergeFiles([together(file(2, 3), file(5, 5))]))).rejects.toEqual(
    refused('non-contiguous'),
  )
  await expect(collect(mergeFiles([together(file(2, 3)), together(file(5, 5))]))).rejects.toEqual(
    refused('non-contiguous'),
  )
  const repeating = await collect(mergeFiles([together(file(2, 3), file(3, 5))], { overlapping: true }))
  expect(repeating.byteLength).toBeGreaterThan(100)
  const tracked = (txid: number, pre: number, post: number) =>
    makeFile(header(txid, txid, 9, { flags: 0, preApplyChecksum: sum(pre) }), [page(txid)], sum(post))
  await collect(mergeFiles([together(tracked(2, 10, 20), tracked(3, 20, 30))]))
  await expect(collect(mergeFiles([together(tracked(2, 10, 20), tracked(3, 21, 30))]))).rejects.toEqual(
    refused('checksum-mismatch'),
  )
  const proven = (txid: number, pre: number, post: number) => {
    const proof = { preApplyChecksum: sum(pre), postApplyChecksum: sum(post) }
    return makeFile(header(txid, txid, 9, { proof }), [page(txid)])
  }
  await expect(collect(mergeFiles([together(proven(2, 10, 20), proven(3, 21, 30))]))).rejects.toEqual(
    refused('checksum-mismatch'),
  )
})

test('M5: a page that a shrink within a group removed must come back', async () => {
  const before = makeFile(header(2, 2, 9), [page(4), page(8), page(9)])
  const shrink = makeFile(header(3, 3, 5), [page(1)])
  const holes = makeFile(header(4, 4, 8), [page(6), page(7)])
  await expect(collect(mergeFiles([together(before, shrink, holes)]))).rejects.toEqual(
    refused('page-missing'),
  )
})

test('files without pages lead on', async () => {
  const empty = makeFile(header(2, 2, 9), [])
  const merged = await collect(mergeFiles([together(empty, makeFile(header(3, 3, 9), []))]))
  expect(Buffer.compare(merged, makeFile(header(2, 3, 9), []))).toBe(0)
})
