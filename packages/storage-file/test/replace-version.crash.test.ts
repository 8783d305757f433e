import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getBytes } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { claimName, hashFileName } from '../src/hidden-names.ts'
import { FileStore } from '../src/index.ts'
import { startChild } from './child.ts'
import { filesIn, testFolder } from './folder.ts'

const folder = testFolder()
const zero = new TextEncoder().encode('0'.padStart(12, '0'))

async function counterOf(store: FileStore): Promise<number> {
  return Number(new TextDecoder().decode(await getBytes(store, 'counter')))
}

test('four processes that count by match lose no update', async () => {
  const root = join(folder, 'count')
  const store = new FileStore(root)
  await store.put('counter', zero)
  const children = Array.from({ length: 4 }, () => startChild('counter-process.ts', root, '25'))
  await Promise.all(children.map(({ ended }) => ended))
  const values = children.flatMap(({ lines }) => lines.map(Number))
  expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect(await counterOf(store)).toBe(100)
  expect(filesIn(root)).toEqual(['counter'])
})

test('processes that are killed while they count lose no update and block nobody', async () => {
  const root = join(folder, 'killed')
  const store = new FileStore(root)
  await store.put('counter', zero)
  const values: number[] = []
  let kills = 0
  await Promise.all(
    Array.from({ length: 3 }, async (_, lane) => {
      for (let round = 0; round < 8; round++) {
        const child = startChild('counter-process.ts', root, '100000')
        while (child.lines.length === 0) await sleep(5)
        await sleep((lane * 7 + round * 13) % 40)
        child.process.kill('SIGKILL')
        kills += 1
        await child.ended
        values.push(...child.lines.map(Number))
      }
    }),
  )
  // Nobody was told a value twice, and at most one update per kill was made without being told.
  expect(new Set(values).size).toBe(values.length)
  const counter = await counterOf(store)
  expect(counter).toBeGreaterThanOrEqual(Math.max(...values))
  expect(counter - values.length).toBeLessThanOrEqual(kills)
  await store.sweep({ olderThanMs: -1000 })
  const { etag } = await store.head('counter')
  await store.put('counter', zero, { precondition: { kind: 'match', etag } })
  expect(filesIn(root)).toEqual(['counter'])
})

/** The claim of a process that stopped right before its commit. */
function plantClaim(root: string, name: string, etag: string): { attempt: string; claim: string } {
  const attempt = join(root, '.sqlstream~temp~1~00')
  const claim = join(root, claimName({ object: hashFileName(name), etag, generation: 0 }))
  writeFileSync(attempt, 'of the stopped one')
  writeFileSync(claim, '.sqlstream~temp~1~00')
  return { attempt, claim }
}

test('the claim of a stopped process is taken over, its commit fails, and nothing is left', async () => {
  const root = join(folder, 'stopped')
  const store = new FileStore(root)
  const { etag } = await store.put('a', zero)
  const { attempt } = plantClaim(root, 'a', etag)
  await store.put('a', Uint8Array.of(1), { precondition: { kind: 'match', etag } })
  expect(() => renameSync(attempt, join(root, 'a'))).toThrow('ENOENT')
  expect(await getBytes(store, 'a')).toEqual(Uint8Array.of(1))
  expect(readdirSync(root)).toEqual(['a'])
})

test('the claim of a running process is waited for', async () => {
  const root = join(folder, 'running')
  const store = new FileStore(root)
  const { etag } = await store.put('a', zero)
  const { attempt, claim } = plantClaim(root, 'a', etag)
  const put = store.put('a', Uint8Array.of(1), { precondition: { kind: 'match', etag } })
  await sleep(30)
  renameSync(attempt, join(root, 'a'))
  rmSync(claim)
  await expect(put).rejects.toMatchObject({ code: 'precondition-failed' })
  expect(new TextDecoder().decode(await getBytes(store, 'a'))).toBe('of the stopped one')
})

test('a sweep keeps a claim as long as its version is there, and no longer', async () => {
  const root = join(folder, 'sweep')
  const store = new FileStore(root)
  const { etag } = await store.put('a', zero)
  const { claim, attempt } = plantClaim(root, 'a', etag)
  await store.sweep({ olderThanMs: -1000 })
  expect(readdirSync(root).sort()).toEqual([basename(claim), 'a'])
  expect(() => renameSync(attempt, join(root, 'a'))).toThrow('ENOENT')
  await store.put('a', zero)
  await store.sweep({ olderThanMs: -1000 })
  expect(readdirSync(root)).toEqual(['a'])
})

test('a claim that names something else than an attempt removes nothing', async () => {
  const root = join(folder, 'hostile')
  const store = new FileStore(root)
  const { etag } = await store.put('a/b', zero)
  await store.put('c', zero)
  writeFileSync(join(root, 'a', claimName({ object: hashFileName('b'), etag, generation: 0 })), '../c')
  await store.put('a/b', Uint8Array.of(1), { precondition: { kind: 'match', etag } })
  expect(filesIn(root)).toEqual(['a/b', 'c'])
})
