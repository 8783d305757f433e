import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createHeader, Encoder, type TXIDRange, toTXID } from '@sqlstream/ltx'
import type { BlobBody } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { readSpoolHeader, Spool, spoolBody } from '../../src/state/spool.ts'
import { watchWrites } from '../support/write-calls.ts'

const TEMP = '.capture.tmp'

function range(txid: number): TXIDRange {
  return { minTXID: toTXID(BigInt(txid)), maxTXID: toTXID(BigInt(txid)) }
}

function newSpool(folder: TempFolder): Spool {
  mkdirSync(folder.join('spool'), { recursive: true })
  return new Spool(folder.join('spool'))
}

async function bytesOf(body: BlobBody): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body
  const chunks: Uint8Array[] = []
  for await (const chunk of body.open()) chunks.push(chunk.slice())
  return Buffer.concat(chunks)
}

describe('the spool', () => {
  it('lists what was finished, in TXID order, with its size', () => {
    using folder = new TempFolder('spool')
    const spool = newSpool(folder)
    for (const txid of [300, 2, 16]) {
      const writer = spool.create()
      writer.write(new Uint8Array(txid))
      writer.write(new Uint8Array(1))
      expect(writer.finish(range(txid))).toMatchObject({ ...range(txid), size: txid + 1 })
    }
    expect(spool.list().map((file) => [Number(file.minTXID), file.size])).toEqual([
      [2, 3],
      [16, 17],
      [300, 301],
    ])
    spool.remove(spool.list()[1]!)
    expect(spool.list().map((file) => Number(file.maxTXID))).toEqual([2, 300])
  })

  it('does not show a file that is being written, nor one that was given up', () => {
    using folder = new TempFolder('spool')
    const spool = newSpool(folder)
    const writer = spool.create()
    writer.write(new Uint8Array(100))
    expect(spool.list()).toEqual([])
    writer.abort()
    expect(readdirSync(folder.join('spool'))).toEqual([])
  })

  it('L2: sweeps what a dead process was writing', () => {
    using folder = new TempFolder('spool')
    const dead = newSpool(folder).create()
    dead.write(new Uint8Array(100))
    expect(existsSync(folder.join('spool', TEMP))).toBe(true)
    newSpool(folder)
    expect(readdirSync(folder.join('spool'))).toEqual([])
    dead.abort()
  })

  it.each(['spool:before-sync', 'spool:before-rename'] as const)(
    'C5: a file has its name only when its bytes are synced (death at %s)',
    (where) => {
      using folder = new TempFolder('spool')
      newSpool(folder)
      const dying = new Spool(folder.join('spool'), (name) => {
        if (name === where) throw new Error('died')
      })
      const writer = dying.create()
      writer.write(new Uint8Array(10))
      expect(() => writer.finish(range(1))).toThrow('died')
      expect(dying.list()).toEqual([])
      expect(newSpool(folder).list()).toEqual([])
    },
  )

  it('leaves foreign files alone', () => {
    using folder = new TempFolder('spool')
    const spool = newSpool(folder)
    writeFileSync(folder.join('spool', 'notes.txt'), 'mine')
    expect(spool.list()).toEqual([])
    expect(readdirSync(folder.join('spool'))).toEqual(['notes.txt'])
  })

  it.runIf(existsSync('/dev/full'))(
    'K3: a full disk is an error with a hint, and the next file is not disturbed by it',
    () => {
      using folder = new TempFolder('spool')
      const spool = newSpool(folder)
      symlinkSync('/dev/full', folder.join('spool', TEMP))
      const writer = spool.create()
      expect(() => writer.write(new Uint8Array(5000))).toThrow(
        expect.objectContaining({ name: 'PrimaryError', code: 'disk-full', hint: expect.any(String) }),
      )
      writer.abort()
      expect(readdirSync(folder.join('spool'))).toEqual([])
      const second = spool.create()
      second.write(new Uint8Array(5))
      second.finish(range(1))
      expect(spool.list()).toHaveLength(1)
    },
  )

  it('K3: a full disk at the sync is the same error, and leaves no file under its name', () => {
    using folder = new TempFolder('spool')
    newSpool(folder)
    const full = new Spool(folder.join('spool'), (name) => {
      if (name === 'spool:before-sync') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    })
    expect(() => full.create().finish(range(1))).toThrow(expect.objectContaining({ code: 'disk-full' }))
    expect(full.list()).toEqual([])
  })

  it('writes all parts in one call, and nothing for empty ones', () => {
    using folder = new TempFolder('spool')
    using calls = watchWrites()
    const writer = newSpool(folder).create()
    writer.write(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))
    writer.write()
    writer.write(new Uint8Array(0))
    const file = writer.finish(range(1))
    expect(calls.sizes).toEqual([3])
    expect([file.size, [...readFileSync(file.path)]]).toEqual([3, [1, 2, 3]])
  })

  it('goes on after a short write, wherever it stopped', () => {
    using folder = new TempFolder('spool')
    const parts = [3, 1, 0, 5].map((length, n) => Uint8Array.from({ length }, (_, i) => n * 10 + i))
    for (let first = 0; first < 9; first++) {
      for (const then of [1, 2, 9]) {
        using calls = watchWrites()
        calls.take = (call, size) => (call === 1 ? first : Math.min(then, size))
        const writer = newSpool(folder).create()
        writer.write(...parts)
        const file = writer.finish(range(1))
        expect([...readFileSync(file.path)]).toEqual([0, 1, 2, 10, 30, 31, 32, 33, 34])
        expect(file.size).toBe(9)
      }
    }
  })

  it('K3: a disk that fills up in the middle of a write is an error, and nothing has the name', () => {
    using folder = new TempFolder('spool')
    using calls = watchWrites()
    calls.take = (call) => {
      if (call === 1) return 4
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }
    const spool = newSpool(folder)
    const writer = spool.create()
    expect(() => writer.write(new Uint8Array(3), new Uint8Array(3))).toThrow(
      expect.objectContaining({ code: 'disk-full' }),
    )
    writer.abort()
    expect(readdirSync(folder.join('spool'))).toEqual([])
  })

  it.each([
    ['small, read at once', 1000, true],
    ['large, as a stream that can be opened again', (1 << 20) + 77, false],
  ])('gives a file as a body: %s', async (_name, size, whole) => {
    using folder = new TempFolder('spool')
    const writer = newSpool(folder).create()
    const content = Uint8Array.from({ length: size }, (_, i) => i * 7)
    writer.write(content)
    const file = writer.finish(range(4))
    const body = spoolBody(file)
    expect(body instanceof Uint8Array).toBe(whole)
    for (let i = 0; i < 2; i++) expect(Buffer.compare(await bytesOf(body), content)).toBe(0)
    if (!(body instanceof Uint8Array)) expect(body.size).toBe(size)
  })

  it('reads the header of a file, and refuses one that is cut', () => {
    using folder = new TempFolder('spool')
    const spool = newSpool(folder)
    const encoder = new Encoder(createHeader({ pageSize: 512, commit: 1, ...range(9), timestamp: 5 }))
    const writer = spool.create()
    writer.write(encoder.start())
    writer.write(encoder.page({ pgno: 1, data: new Uint8Array(512) }))
    writer.write(encoder.finish())
    const file = writer.finish(range(9))
    expect(readSpoolHeader(file)).toMatchObject({ commit: 1, timestamp: 5, minTXID: 9n })
    writeFileSync(file.path, readFileSync(file.path).subarray(0, 50))
    expect(() => readSpoolHeader(file)).toThrow(expect.objectContaining({ name: 'LTXError' }))
  })
})
