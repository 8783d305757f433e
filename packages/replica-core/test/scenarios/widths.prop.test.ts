import { writeFileSync } from 'node:fs'
import { createHeader, decodeHeader, encodeHeader, type TXID, toTXID } from '@sqlstream/ltx'
import { TempFolder } from '@sqlstream/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameTable } from '../../src/capture/frame-table.ts'
import { frameOffset } from '../../src/sqlite/wal-end.ts'
import { encodeJournalRecord, Journal } from '../../src/state/journal.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { readLedgerFile, writeLedgerFile } from '../../src/state/ledger-file.ts'
import type { Position } from '../../src/state/position.ts'
import { Spool } from '../../src/state/spool.ts'

const WORD = 0xffffffff
const LAST_TXID = 2n ** 64n - 1n

/** Any number of 32 bits; its limits often. */
const word = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, WORD - 1, WORD), fc.nat(WORD))
const txid = fc
  .oneof(fc.constantFrom(1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, LAST_TXID - 1n), fc.bigInt(1n, LAST_TXID - 1n))
  .map(toTXID)
const time = fc.oneof(fc.constantFrom(0, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.nat(Number.MAX_SAFE_INTEGER))
const sequence = fc.constantFrom(0, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER - 1)
const pageSize = fc.constantFrom(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
const wal = fc.record({ salt1: word, salt2: word, frame: word, checksum1: word, checksum2: word })
const sums = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 5 })

/** A ledger with these page checksums, low and high words. */
function ledgerOf(pages: readonly (readonly [number, number])[]): Ledger {
  const ledger = new Ledger()
  ledger.resize(pages.length)
  for (const [i, [low, high]] of pages.entries()) ledger.set(i + 1, low, high)
  return ledger
}

const position = fc
  .record({ txid, pageSize, timestamp: time, wal, pages: sums })
  .map(({ pages, ...rest }): { position: Position; ledger: Ledger } => {
    const ledger = ledgerOf(pages)
    return { ledger, position: { ...rest, commit: pages.length, postApplyChecksum: ledger.checksum } }
  })

describe('numbers at the limit of their width', () => {
  it('T49: the ledger file gives back what was written', () => {
    using folder = new TempFolder()
    fc.assert(
      fc.property(position, sequence, (written, number) => {
        const content = { ...written, sequence: number }
        writeLedgerFile(folder.join('ledger'), content)
        const read = readLedgerFile(folder.join('ledger'))
        expect(read?.position).toEqual(written.position)
        expect(read?.sequence).toBe(number)
        expect(read?.ledger.words()).toEqual(written.ledger.words())
      }),
      { numRuns: 30 },
    )
  })

  it('T49: a journal record gives back what was written', () => {
    using folder = new TempFolder()
    let run = 0
    fc.assert(
      fc.property(position, sums, wal, sequence, (start, changed, end, number) => {
        const path = folder.join(`journal${run++}`)
        const journal = new Journal(path)
        const ledger = ledgerOf(changed)
        const next: Position = {
          ...start.position,
          txid: toTXID(start.position.txid + 1n),
          commit: changed.length,
          postApplyChecksum: ledger.checksum,
          wal: end,
        }
        const changes = {
          count: changed.length,
          pgnos: Uint32Array.from(changed, (_, i) => i + 1),
          sums: Uint32Array.from(changed.flat()),
        }
        journal.append(encodeJournalRecord(number + 1, next, changes))
        const replayed = new Journal(path).replay(number, start.position, start.ledger)
        journal.close()
        expect(replayed).toEqual({ sequence: number + 1, position: next })
        expect(start.ledger.checksum).toBe(ledger.checksum)
      }),
      { numRuns: 50 },
    )
  })

  it('T49: offsets in the WAL are exact up to the last frame of the largest pages, in memory and in a file', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(1, WORD), fc.integer({ min: 1, max: WORD })),
        pageSize,
        (frame, size) => {
          const offset = frameOffset(frame, size)
          expect(BigInt(offset)).toBe(32n + BigInt(frame - 1) * BigInt(24 + size))
          const header = createHeader({
            pageSize: size,
            commit: WORD - 1,
            minTXID: toTXID(2n),
            maxTXID: toTXID(2n),
            timestamp: Number.MAX_SAFE_INTEGER,
            walOffset: offset,
            walSize: 24 + size,
            walSalt1: WORD,
            walSalt2: WORD,
            nodeId: LAST_TXID,
          })
          expect(decodeHeader(encodeHeader(header))).toEqual(header)
        },
      ),
    )
  })

  it('T49: the newest frame of each page is found for any page number and frame number', () => {
    const page = fc.oneof(fc.constantFrom(1, WORD - 1), fc.integer({ min: 1, max: WORD - 1 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(page, fc.integer({ min: 1, max: WORD }))), (frames) => {
        const table = new FrameTable(1)
        const expected = new Map(frames)
        for (const [pgno, frame] of frames) table.set(pgno, frame)
        for (const [pgno, frame] of expected) expect(table.get(pgno)).toBe(frame)
        expect([...table.pages()]).toEqual([...expected.keys()].sort((a, b) => a - b))
      }),
    )
  })

  it('T49: a TXID beyond the last is an error, never a wrap', () => {
    expect(toTXID(LAST_TXID) + 1n).toBe(2n ** 64n)
    expect(() => toTXID(LAST_TXID + 1n)).toThrow(RangeError)
  })
})

describe('names in the spool', () => {
  it('T49: are found for every TXID', () => {
    using folder = new TempFolder()
    fc.assert(
      fc.property(fc.oneof(fc.constant(toTXID(LAST_TXID)), txid), (id: TXID) => {
        const spool = new Spool(folder.path)
        const writer = spool.create()
        writer.write(new Uint8Array(200))
        const file = writer.finish({ minTXID: id, maxTXID: id })
        expect(spool.list()).toEqual([file])
        spool.remove(file)
      }),
      { numRuns: 30 },
    )
  })

  it.each(['00000000000000001-0000000000000001.ltx', '1-1.ltx', '000000000000000A-000000000000000A.ltx'])(
    'T49: %s is an error, not a file that is not there',
    (name) => {
      using folder = new TempFolder()
      writeFileSync(folder.join(name), 'x')
      expect(() => new Spool(folder.path).list()).toThrow(expect.objectContaining({ code: 'state-folder' }))
    },
  )
})
