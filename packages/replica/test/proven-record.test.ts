import { toChecksum, toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { isReplicaError, type ProvenRestore, readProof, writeProof } from '../src/index.ts'
import { decodeProof, encodeProof } from '../src/proven-record.ts'

const PROOF: ProvenRestore = {
  txid: toTXID(0x1fn),
  postApplyChecksum: toChecksum(0x8000_0000_0000_00ffn),
  timestamp: new Date('2026-11-24T03:15:00.123Z'),
  provenAt: new Date('2026-11-25T00:00:00Z'),
  by: 'sqlstream verify on host',
}

test('V1: what was proven last is what is read; nothing where nothing was', async () => {
  const store = new MemoryStore()
  expect(await readProof(store)).toBeUndefined()
  await writeProof(store, PROOF)
  expect(await readProof(store)).toEqual(PROOF)
  const later = { ...PROOF, txid: toTXID(0x20n), by: 'somebody else' }
  await writeProof(store, later)
  expect(await readProof(store)).toEqual(later)
  expect(new TextDecoder().decode(encodeProof(PROOF))).toBe(
    '{"version":1,"txid":"000000000000001f","postApplyChecksum":"80000000000000ff","timestamp":"2026-11-24T03:15:00.123Z","provenAt":"2026-11-25T00:00:00.000Z","by":"sqlstream verify on host"}\n',
  )
})

const fields: Record<string, unknown> = JSON.parse(new TextDecoder().decode(encodeProof(PROOF)))

test.each<[string, unknown]>([
  ['version', 2],
  ['txid', '1f'],
  ['txid', 31],
  ['postApplyChecksum', 'xyz'],
  ['timestamp', 'yesterday'],
  ['provenAt', null],
  ['by', 5],
])('V1: a record whose %s is %j is damaged, and as good as none', async (name, value) => {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...fields, [name]: value }))
  expect(() => decodeProof(bytes)).toThrow(`.sqlstream/proof.json has no valid ${name}`)
  const store = new MemoryStore()
  await store.put('.sqlstream/proof.json', bytes)
  expect(await readProof(store)).toBeUndefined()
})

test('V1: unknown fields are left for later versions, and what is no JSON is damaged', () => {
  const more = new TextEncoder().encode(JSON.stringify({ ...fields, more: 1 }))
  expect(decodeProof(more)).toEqual(PROOF)
  let thrown: unknown
  try {
    decodeProof(new Uint8Array([1, 2]))
  } catch (error) {
    thrown = error
  }
  expect(isReplicaError(thrown, 'corrupt')).toBe(true)
})
