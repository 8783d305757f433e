import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { getBytes } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { FileStore } from '../src/index.ts'
import { startChild } from './child.ts'
import { filesIn, keysOf, testFolder } from './folder.ts'

const KILLS = 25

test('T34: a writer that is killed at any moment leaves whole objects, and all it was told are there', async () => {
  const root = testFolder()
  const store = new FileStore(root)
  const allowed = new Map<string, Set<string>>()
  let tries = 0
  let leftovers = 0
  for (let round = 0; round < KILLS; round++) {
    const child = startChild('put-process.ts', root, String(round * 100_000))
    while (child.lines.length < 2) await sleep(2)
    // Spread over a few puts: at one size or another the kill falls into each of their steps.
    await sleep((round * 17) % 61)
    child.process.kill('SIGKILL')
    await child.ended

    for (const line of child.lines) {
      const [word, key, hash] = line.split(' ') as [string, string, string]
      if (word === 'try') {
        tries += 1
        if (!allowed.has(key)) allowed.set(key, new Set(['absent']))
        allowed.get(key)!.add(hash)
      } else allowed.set(key, new Set([hash]))
    }
    const found = new Set(await keysOf(store.list()))
    for (const key of found) {
      const bytes = await getBytes(store, key)
      const hash = createHash('sha256').update(bytes.subarray(32)).digest('hex')
      expect(Buffer.from(bytes.subarray(0, 32)).toString('hex'), `${key} is whole`).toBe(hash)
      expect(allowed.get(key), key).toContain(hash)
      allowed.set(key, new Set([hash]))
    }
    for (const [key, hashes] of allowed)
      if (!found.has(key)) expect(hashes, `${key} is lost`).toContain('absent')
    leftovers += filesIn(root).length - found.size
  }
  // Otherwise no kill has hit a put, and all of this proves nothing.
  expect(tries).toBeGreaterThan(KILLS * 2)
  expect(leftovers).toBeGreaterThan(0)

  const { files, bytes } = await store.sweep({ olderThanMs: 3_600_000 })
  expect([files, bytes]).toEqual([0, 0])
  expect((await store.sweep({ olderThanMs: -1000 })).files).toBeGreaterThan(0)
  expect(filesIn(root)).toEqual(await keysOf(store.list()))
})
