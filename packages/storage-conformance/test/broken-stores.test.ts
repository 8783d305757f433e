import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { conformanceTests, type Harness, runConformance } from '../src/index.ts'
import { failingStore, memoryHarness, newHandle } from './memory-harness.ts'
import { atOnceSabotages } from './sabotage/at-once.ts'
import { cancelSabotages } from './sabotage/cancel.ts'
import { copySabotages } from './sabotage/copy.ts'
import { deleteSabotages } from './sabotage/delete.ts'
import { errorsSabotages } from './sabotage/errors.ts'
import { getSabotages } from './sabotage/get.ts'
import { keysSabotages } from './sabotage/keys.ts'
import { largeSabotages } from './sabotage/large.ts'
import { listSabotages } from './sabotage/list.ts'
import { preconditionSabotages } from './sabotage/precondition.ts'
import { putSabotages } from './sabotage/put.ts'
import { readIntoSabotages } from './sabotage/read-into.ts'
import { LARGE_BYTES } from './sabotage/sabotages.ts'

/** Runs the tests of a clause on a store with one fault and gives the names of those that noticed it. */
async function noticing(
  clause: string,
  sabotage: (store: BlobStore) => Partial<BlobStore>,
  other: Partial<Harness> = {},
): Promise<string[]> {
  const harness = {
    ...memoryHarness((store) => ({ ...newHandle(store), ...sabotage(store) })),
    ...other,
    manyKeys: 40,
    largeBytes: LARGE_BYTES,
    abortPatienceMs: 100,
  }
  const names: string[] = []
  for await (const { test: name, outcome } of runConformance(harness, {
    only: new RegExp(`^[^:]*\\b${clause}\\b`),
  })) {
    if (outcome === 'failed') names.push(name)
  }
  return names
}

const SABOTAGES = [
  keysSabotages,
  listSabotages,
  getSabotages,
  putSabotages,
  preconditionSabotages,
  deleteSabotages,
  cancelSabotages,
  errorsSabotages,
  readIntoSabotages,
  largeSabotages,
  atOnceSabotages,
  copySabotages,
].flatMap((table) => Object.entries(table))

/** Tests that noticed something, by name. */
const noticed = new Set<string>()

async function expectNoticed(...args: Parameters<typeof noticing>): Promise<void> {
  const names = await noticing(...args)
  expect(names).not.toEqual([])
  for (const name of names) noticed.add(name)
}

describe('a store that breaks the contract is found out', () => {
  test.each(SABOTAGES)('when it %s', async (_name, [clause, sabotage]) => {
    await expectNoticed(clause, sabotage)
  })
})

test('a missing bucket that looks empty is found out by S40', async () => {
  await expectNoticed('S40', () => ({}), { openMissing: async () => new MemoryStore() })
})

test('stores that do not share their objects are found out by S41', async () => {
  await expectNoticed('S41', () => ({}), { open: async () => new MemoryStore() })
})

test.each<[string, BlobStore]>([
  ['lets everybody in', new MemoryStore()],
  ['says "not found"', failingStore('not-found')],
  ['shows a secret', failingStore('permission-denied', 'key hunter2 is wrong')],
])('a store that %s is found out by S45', async (_, store) => {
  await expectNoticed('S45', () => ({}), { openDenied: async () => store })
})

test.each<[string, BlobStore]>([
  ['does not know what happened', failingStore('unknown')],
  ['gives up for ever', failingStore('unavailable', 'no', false)],
])('a store without an answer that %s is found out by S46', async (_, store) => {
  await expectNoticed('S46', () => ({}), { openUnreachable: async () => store })
})

test('each test notices something', () => {
  expect(conformanceTests.map(({ name }) => name).filter((name) => !noticed.has(name))).toEqual([])
})
