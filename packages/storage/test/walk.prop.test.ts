import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type FolderEntry, walkFolders } from '../src/index.ts'

/** A tree in memory that counts which folders are read. */
function tree(keys: readonly string[]) {
  const read: string[] = []
  async function readFolder(base: string): Promise<FolderEntry[]> {
    read.push(base)
    const entries = new Map<string, FolderEntry>()
    for (const key of keys) {
      if (!key.startsWith(base)) continue
      const [name, ...rest] = key.slice(base.length).split('/')
      entries.set(name!, { name: name!, kind: rest.length > 0 ? 'folder' : 'file' })
    }
    return [...entries.values()]
  }
  return { read, readFolder }
}

async function walk(keys: readonly string[], prefix: string, startAfter: string) {
  const { read, readFolder } = tree(keys)
  const walked: string[] = []
  for await (const { key } of walkFolders(readFolder, { prefix, startAfter })) walked.push(key)
  return { walked, read }
}

const segment = fc.string({ unit: fc.constantFrom(...'ab-.0_'), minLength: 1, maxLength: 3 })
const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
const keys = fc
  .uniqueArray(key, { maxLength: 30 })
  // A name cannot be a file and a folder.
  .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))))

test('keys come in byte order, selected by prefix and startAfter, whatever their names', async () => {
  await fc.assert(
    fc.asyncProperty(
      keys,
      fc.oneof(key, fc.constant('')),
      fc.oneof(key, fc.constant('')),
      fc.nat(4),
      async (all, p, s, cut) => {
        const prefix = p.slice(0, Math.max(0, p.length - cut))
        const startAfter = s.slice(0, Math.max(0, s.length - cut))
        const expected = all.filter((one) => one.startsWith(prefix) && one > startAfter).sort()
        expect((await walk(all, prefix, startAfter)).walked).toEqual(expected)
      },
    ),
    { numRuns: 500 },
  )
})

test('only folders that can hold a selected key are read', async () => {
  await fc.assert(
    fc.asyncProperty(
      keys,
      fc.oneof(key, fc.constant('')),
      fc.oneof(key, fc.constant('')),
      async (all, prefix, startAfter) => {
        const { read } = await walk(all, prefix, startAfter)
        expect(new Set(read).size).toBe(read.length)
        const start = prefix.slice(0, prefix.lastIndexOf('/') + 1)
        for (const folder of read.filter((one) => one !== start)) {
          expect(folder.startsWith(prefix) || prefix.startsWith(folder)).toBe(true)
          expect(`${folder}~` > startAfter).toBe(true)
        }
      },
    ),
  )
})

test('T27: a listing after the last key of a level reads that level only', async () => {
  const levels = ['ltx/0', 'ltx/1', 'ltx/2', 'ltx/9'].flatMap((level) => [
    `${level}/0001.ltx`,
    `${level}/0002.ltx`,
  ])
  expect((await walk(levels, 'ltx/2/', 'ltx/2/0001.ltx')).read).toEqual(['ltx/2/'])
  expect((await walk(levels, '', 'ltx/2/0001.ltx')).read).toEqual(['', 'ltx/', 'ltx/2/', 'ltx/9/'])
  expect((await walk(levels, 'ltx/2', '')).read).toEqual(['ltx/', 'ltx/2/'])
})
