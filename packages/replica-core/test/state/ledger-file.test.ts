import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/state/ledger.ts'
import { type LedgerFile, readLedgerFile, writeLedgerFile } from '../../src/state/ledger-file.ts'
import { history, ledgerAfter } from '../support/samples.ts'

function sample(seed: number, pages = 30): LedgerFile {
  const steps = history(seed, 3, { pages })
  return { sequence: 2 ** 40 + seed, position: steps[2]!.position, ledger: ledgerAfter(steps) }
}

describe('the ledger file', () => {
  it('comes back as it was written', () => {
    using folder = new TempFolder('ledger')
    const content = sample(1)
    writeLedgerFile(folder.join('ledger'), content)
    const read = readLedgerFile(folder.join('ledger'))!
    expect(read.sequence).toBe(content.sequence)
    expect(read.position).toEqual(content.position)
    expect([...read.ledger.words()]).toEqual([...content.ledger.words()])
    expect(existsSync(folder.join('ledger.tmp'))).toBe(false)
  })

  it('does not exist before the first snapshot', () => {
    using folder = new TempFolder('ledger')
    expect(readLedgerFile(folder.join('ledger'))).toBeUndefined()
  })

  it('L3: cut at any byte, or longer than it says, it is treated as missing', () => {
    using folder = new TempFolder('ledger')
    const path = folder.join('ledger')
    writeLedgerFile(path, sample(2))
    const whole = readFileSync(path)
    for (let size = 0; size < whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      expect(readLedgerFile(path), `${size} bytes`).toBeUndefined()
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(8)]))
    expect(readLedgerFile(path)).toBeUndefined()
  })

  it('L3: with any byte flipped it is treated as missing', () => {
    using folder = new TempFolder('ledger')
    const path = folder.join('ledger')
    writeLedgerFile(path, sample(3))
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 1 << (at % 8)
      writeFileSync(path, damaged)
      expect(readLedgerFile(path), `byte ${at}`).toBeUndefined()
    }
  })

  it('L1: a ledger that does not have the checksum of its position is treated as missing', () => {
    using folder = new TempFolder('ledger')
    const { position, sequence, ledger } = sample(4)
    const other = Ledger.from(ledger.words(), position.commit)
    other.set(1, 1, 2)
    writeLedgerFile(folder.join('ledger'), { position, sequence, ledger: other })
    expect(readLedgerFile(folder.join('ledger'))).toBeUndefined()
  })

  it.each(['ledger:before-write', 'ledger:before-rename'] as const)(
    'keeps the old one when the process dies at %s',
    (where) => {
      using folder = new TempFolder('ledger')
      const path = folder.join('ledger')
      writeLedgerFile(path, sample(5))
      const die = (name: string): void => {
        if (name === where) throw new Error('died')
      }
      expect(() => writeLedgerFile(path, sample(6), die)).toThrow('died')
      expect(readLedgerFile(path)!.position).toEqual(sample(5).position)
      // The next one is not disturbed by what was left.
      writeLedgerFile(path, sample(6))
      expect(readLedgerFile(path)!.position).toEqual(sample(6).position)
    },
  )

  it.runIf(existsSync('/dev/full'))('keeps the old one when the disk is full', () => {
    using folder = new TempFolder('ledger')
    const path = folder.join('ledger')
    writeLedgerFile(path, sample(7))
    symlinkSync('/dev/full', `${path}.tmp`)
    expect(() => writeLedgerFile(path, sample(8))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(readLedgerFile(path)!.position).toEqual(sample(7).position)
  })

  it('does not take an unreadable file for a missing one', () => {
    using folder = new TempFolder('ledger')
    mkdirSync(folder.join('ledger'))
    expect(() => readLedgerFile(folder.join('ledger'))).toThrow(expect.objectContaining({ code: 'EISDIR' }))
  })
})
