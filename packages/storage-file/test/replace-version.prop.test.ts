import { linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { ETag } from '@sqlstream/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { statIfThere } from '../src/if-there.ts'
import { replaceVersion } from '../src/replace-version.ts'
import { fileETag } from '../src/version.ts'
import { testFolder } from './folder.ts'

// A scheduler: before each system call of the protocol the caller waits as many turns as the dice say.
// With no patience every claim that is met is taken for dead, so all holders are fenced again and again.
const FUNCTIONS = ['lstat', 'link', 'rename', 'unlink', 'readFile', 'writeFile'] as const
const originals = new Map(FUNCTIONS.map((name) => [name, fs[name]]))
let roll: () => number = () => 0

beforeAll(() => {
  for (const [name, original] of originals) {
    const delayed = async (...args: unknown[]): Promise<unknown> => {
      for (let turns = roll(); turns > 0; turns--) await turn()
      return (original as (...args: unknown[]) => Promise<unknown>)(...args)
    }
    Object.assign(fs, { [name]: delayed })
  }
  syncBuiltinESMExports()
})
afterAll(() => {
  Object.assign(fs, Object.fromEntries(originals))
  syncBuiltinESMExports()
})

// Now and then so long that others fence, claim and commit meanwhile.
const waits = fc.infiniteStream(
  fc.oneof({ arbitrary: fc.nat(4), weight: 8 }, { arbitrary: fc.nat(80), weight: 1 }),
)

const folder = testFolder()
let round = 0

async function versionOf(path: string): Promise<ETag> {
  return fileETag((await statIfThere(path))!)
}

test('whatever the order of system calls, one of those who replace a version wins, and wins for good', async () => {
  await fc.assert(
    fc.asyncProperty(waits, fc.integer({ min: 2, max: 5 }), async (dice, contenders) => {
      roll = () => dice.next().value!
      const root = join(folder, `r${round++}`)
      await fs.mkdir(root)
      const target = join(root, 'object')
      writeFileSync(target, 'first')
      const first = await versionOf(target)
      const contend = async (name: string, etag: ETag): Promise<string[]> => {
        const temp = join(root, `.sqlstream~temp~1~${name}`)
        writeFileSync(temp, name)
        try {
          return (await replaceVersion(temp, target, etag, 0)) ? [name] : []
        } finally {
          await fs.unlink(temp)
        }
      }
      // Each also starts again from what it finds, so late comers with an old version meet new claims.
      const histories = await Promise.all(
        Array.from({ length: contenders }, async (_, i) => [
          ...(await contend(`a${i}`, first)),
          ...(await contend(`b${i}`, first)),
          ...(await contend(`c${i}`, await versionOf(target))),
        ]),
      )
      const winners = histories.flat()
      expect(winners.filter((name) => !name.startsWith('c'))).toHaveLength(1)
      expect(winners).toContain(readFileSync(target, 'utf8'))
      // Marks are about old versions only, and none of them is a claim.
      expect(readdirSync(root).filter((name) => name.includes('~claim~'))).toEqual([])
    }),
    { numRuns: 150 },
  )
}, 120_000)

test('a contender with an old version never replaces a new one, even with a claim', async () => {
  roll = () => 0
  const root = join(folder, 'late')
  await fs.mkdir(root)
  const target = join(root, 'object')
  writeFileSync(target, 'first')
  const first = await versionOf(target)
  writeFileSync(join(root, 'second'), 'second')
  await fs.rename(join(root, 'second'), target)
  const temp = join(root, 'temp')
  writeFileSync(temp, 'late')
  linkSync(temp, join(root, 'kept'))
  expect(await replaceVersion(temp, target, first, 0)).toBe(false)
  expect(readFileSync(target, 'utf8')).toBe('second')
})
