import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import {
  CHECKSUM_FLAG,
  type Checksum,
  createHeader,
  Encoder,
  formatFilename,
  type PageSize,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Position } from '../../src/state/position.ts'
import { proveSpool } from '../../src/state/prove-spool.ts'
import { Spool } from '../../src/state/spool.ts'

const sum = (n: number): Checksum => toChecksum(CHECKSUM_FLAG | BigInt(n))

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('prove')
  mkdirSync(folder.join('spool'))
})

afterEach(() => folder[Symbol.dispose]())

/** A file that leads from state txid - 1 to state txid. */
function write(txid: number, pages: number, pageSize: PageSize = 4096): string {
  const range = { minTXID: toTXID(txid), maxTXID: toTXID(txid) }
  const proof = { preApplyChecksum: sum(txid - 1), postApplyChecksum: sum(txid) }
  const encoder = new Encoder(createHeader({ pageSize, commit: pages, timestamp: 1, proof, ...range }))
  const parts = [encoder.start()]
  for (let pgno = 1; pgno <= pages; pgno++) {
    const data = new Uint8Array(pageSize)
    crypto.getRandomValues(data.subarray(0, 3000))
    parts.push(encoder.page({ pgno, data }))
  }
  const path = folder.join('spool', formatFilename(range))
  writeFileSync(path, Buffer.concat([...parts, encoder.finish()]))
  return path
}

function prove(head: number, last: number, signal?: AbortSignal): Promise<Checksum | undefined> {
  const position = { txid: toTXID(last), postApplyChecksum: sum(last) } as Position
  return proveSpool(Spool.read(folder.join('spool')), toTXID(head), position, signal)
}

describe('S6: the spool connects', () => {
  it('when its files lead from the head to the position, and the proof is the checksum at the head', async () => {
    for (const txid of [4, 5, 6]) write(txid, txid * 60)
    expect(await prove(3, 6)).toBe(sum(3))
    expect(await prove(4, 6)).toBe(sum(4))
    expect(await prove(6, 6)).toBe(sum(6))
    expect(await prove(2, 6)).toBeUndefined()
    expect(await prove(3, 7)).toBeUndefined()
  })

  it('not when a byte anywhere was changed or the end is missing, in a file of several reads', async () => {
    const path = write(4, 600)
    const whole = readFileSync(path)
    expect(whole.length).toBeGreaterThan(1_500_000)
    for (const at of [0, 99, 150, 65_536, 1_100_000, whole.length - 9, whole.length - 1]) {
      const changed = Uint8Array.from(whole)
      changed[at]! ^= 1
      writeFileSync(path, changed)
      expect(await prove(3, 4), `byte ${at}`).toBeUndefined()
    }
    for (const size of [0, 50, 100, 70_000, 1_200_000, whole.length - 1]) {
      writeFileSync(path, whole)
      truncateSync(path, size)
      expect(await prove(3, 4), `${size} bytes`).toBeUndefined()
    }
    writeFileSync(path, whole)
    expect(await prove(3, 4)).toBe(sum(3))
  })

  it('not when a file vanished, while other errors are told', async () => {
    const files = [write(4, 3), write(5, 3)]
    const listed = Spool.read(folder.join('spool'))
    const position = { txid: toTXID(5), postApplyChecksum: sum(5) } as Position
    const moved = listed.map((file, i) => (i === 1 ? { ...file, path: `${files[1]}.gone` } : file))
    expect(await proveSpool(moved, toTXID(3), position)).toBeUndefined()
    const isFolder = listed.map((file) => ({ ...file, path: folder.join('spool') }))
    await expect(proveSpool(isFolder, toTXID(3), position)).rejects.toMatchObject({ code: 'EISDIR' })
  })

  it('whatever page sizes its files have', async () => {
    write(4, 30, 512)
    write(5, 20, 65536)
    write(6, 10, 512)
    expect(await prove(3, 6)).toBe(sum(3))
  })
})

it('a long proof lets others have their turn, and ends when it is told to', async () => {
  for (const txid of [4, 5]) write(txid, 300, 65536)
  let turns = 0
  const counting = setInterval(() => turns++, 0)
  expect(await prove(3, 5)).toBe(sum(3))
  clearInterval(counting)
  expect(turns).toBeGreaterThan(0)
  const controller = new AbortController()
  const reason = new Error('enough')
  setImmediate(() => controller.abort(reason))
  await expect(prove(3, 5, controller.signal)).rejects.toBe(reason)
})
