import { readFileSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { encodeJournalRecord, Journal, NO_CHANGES } from '../../src/state/journal.ts'
import type { Ledger } from '../../src/state/ledger.ts'
import type { Position } from '../../src/state/position.ts'
import { history, ledgerAfter, type Step, walAt } from '../support/samples.ts'

/** Writes the steps from the second on as records 1, 2, ...; the first is what the ledger file would hold. */
function write(path: string, steps: readonly Step[]): number[] {
  const journal = new Journal(path)
  const ends = [0]
  for (const [i, { position, changes }] of steps.entries()) {
    if (i === 0) continue
    journal.append(encodeJournalRecord(i, position, changes))
    ends.push(journal.length)
  }
  journal.close()
  return ends
}

function replay(
  path: string,
  steps: readonly Step[],
  sequence = 0,
): { sequence: number; position: Position; ledger: Ledger; length: number } | undefined {
  const journal = new Journal(path)
  const ledger = ledgerAfter(steps.slice(0, sequence + 1))
  try {
    const result = journal.replay(sequence, steps[sequence]!.position, ledger)
    return result && { ...result, ledger, length: journal.length }
  } finally {
    journal.close()
  }
}

describe('the journal', () => {
  it('gives back every position and every checksum in the order they were written', () => {
    using folder = new TempFolder('journal')
    const steps = history(1, 20, { pages: 60 })
    write(folder.join('journal'), steps)
    const result = replay(folder.join('journal'), steps)!
    expect(result.sequence).toBe(19)
    expect(result.position).toEqual(steps.at(-1)!.position)
    expect([...result.ledger.words()]).toEqual([...ledgerAfter(steps).words()])
  })

  it('grows its buffer for a capture of many pages', () => {
    using folder = new TempFolder('journal')
    const steps = [...history(2, 1), ...history(3, 1, { pages: 9000 })]
    write(folder.join('journal'), steps)
    expect(replay(folder.join('journal'), steps)!.position).toEqual(steps[1]!.position)
  })

  it('L2: torn at any byte, the last record counts as not written and all before it count', () => {
    using folder = new TempFolder('journal')
    const path = folder.join('journal')
    const steps = history(4, 5)
    const ends = write(path, steps)
    const whole = readFileSync(path)
    for (let size = ends[3]!; size < ends[4]!; size++) {
      for (const rest of ['absent', 'zero'] as const) {
        const torn =
          rest === 'absent'
            ? whole.subarray(0, size)
            : Buffer.concat([whole.subarray(0, size), Buffer.alloc(whole.length - size)])
        if (torn.equals(whole)) continue
        writeFileSync(path, torn)
        const result = replay(path, steps)!
        expect(result.sequence, `${size} bytes, the rest ${rest}`).toBe(3)
        expect(result.position).toEqual(steps[3]!.position)
        expect(result.length).toBe(ends[3])
      }
    }
  })

  it('L2: a record that is written over a torn one is read, whatever is left behind it', () => {
    using folder = new TempFolder('journal')
    const path = folder.join('journal')
    const steps = history(5, 4, { pages: 30 })
    const ends = write(path, steps)
    for (const size of [ends[2]! + 1, ends[2]! + 40, ends[3]! - 1]) {
      writeFileSync(path, readFileSync(path).subarray(0, size))
      const journal = new Journal(path)
      const ledger = ledgerAfter(steps.slice(0, 1))
      const at = journal.replay(0, steps[0]!.position, ledger)!
      expect(at.sequence).toBe(2)
      const moved = { ...at.position, wal: walAt(1000) }
      journal.append(encodeJournalRecord(3, moved, NO_CHANGES))
      journal.close()
      expect(replay(path, steps)!.position).toEqual(moved)
      write(path, steps)
    }
  })

  it('L3: a flipped byte anywhere is found, and nothing from that record on is believed', () => {
    using folder = new TempFolder('journal')
    const path = folder.join('journal')
    const steps = history(6, 4)
    const ends = write(path, steps)
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0x10
      writeFileSync(path, damaged)
      const record = ends.findIndex((end) => at < end) - 1
      expect(replay(path, steps)?.sequence, `byte ${at}`).toBe(record)
    }
  })

  it('skips the records that the ledger file contains already', () => {
    using folder = new TempFolder('journal')
    const steps = history(7, 6)
    write(folder.join('journal'), steps)
    for (let sequence = 0; sequence < 6; sequence++) {
      const result = replay(folder.join('journal'), steps, sequence)!
      expect(result.position).toEqual(steps[5]!.position)
      expect(result.ledger.checksum).toBe(steps[5]!.position.postApplyChecksum)
    }
  })

  it('stops where a sequence number is missing', () => {
    using folder = new TempFolder('journal')
    const path = folder.join('journal')
    const steps = history(8, 4)
    const journal = new Journal(path)
    for (const i of [1, 3]) journal.append(encodeJournalRecord(i, steps[i]!.position, steps[i]!.changes))
    journal.close()
    expect(replay(path, steps)!.sequence).toBe(1)
  })

  it('L3: a whole record that contradicts the ledger is damage', () => {
    using folder = new TempFolder('journal')
    const steps = history(9, 3)
    write(folder.join('journal'), steps)
    const journal = new Journal(folder.join('journal'))
    const wrong = ledgerAfter(history(10, 1))
    expect(journal.replay(0, steps[0]!.position, wrong)).toBeUndefined()
    journal.close()
  })

  it('is empty after clear, also when it is opened again', () => {
    using folder = new TempFolder('journal')
    const steps = history(11, 3)
    write(folder.join('journal'), steps)
    const journal = new Journal(folder.join('journal'))
    journal.clear()
    expect(journal.length).toBe(0)
    journal.close()
    expect(replay(folder.join('journal'), steps)).toMatchObject({ sequence: 0, length: 0 })
  })
})
