import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import type { Failpoint, FailpointHook } from '../../src/index.ts'
import { CaptureState } from '../../src/state/capture-state.ts'
import { applyChanges, type LedgerChanges } from '../../src/state/journal.ts'
import { Ledger } from '../../src/state/ledger.ts'
import type { Position } from '../../src/state/position.ts'
import { createStateFolder, type StateFolder, stateFolder } from '../../src/state/state-folder.ts'
import { history, ledgerAfter, type Step, walAt } from '../support/samples.ts'

class Died extends Error {}

/** Ends the process, as far as this test is concerned, when the failpoint is passed while armed. */
function deathAt(where: Failpoint): { hook: FailpointHook; armed: boolean } {
  const death = {
    armed: false,
    hook: (name: Failpoint): void => {
      if (death.armed && name === where) throw new Died(where)
    },
  }
  return death
}

function newFolder(folder: TempFolder): StateFolder {
  const state = stateFolder(folder.join('app.db'))
  createStateFolder(state)
  return state
}

/** A state folder that holds the steps: the first as the ledger, the others in the journal. */
function prepared(folder: TempFolder, steps: readonly Step[], failpoint?: FailpointHook): CaptureState {
  const state = CaptureState.open(newFolder(folder), { failpoint })
  state.replace(steps[0]!.position, ledgerAfter(steps.slice(0, 1)))
  for (const step of steps.slice(1)) state.advance(step.position, step.changes)
  return state
}

function reopened(folder: TempFolder): { position: Position | undefined; ledger: Ledger; torn: boolean } {
  const state = CaptureState.open(newFolder(folder))
  state.close()
  return { position: state.position, ledger: state.ledger, torn: state.torn }
}

/** So many changed pages that the journal outgrows its limit soon. */
function largeSteps(count: number): Step[] {
  const pages = 20_000
  const ledger = new Ledger()
  return Array.from({ length: count }, (_, n) => {
    const changes: LedgerChanges = {
      count: pages,
      pgnos: Uint32Array.from({ length: pages }, (_, i) => i + 1),
      sums: Uint32Array.from({ length: pages * 2 }, (_, i) => (i % 2 === 0 ? i + n : 0x80000000 + n)),
    }
    applyChanges(ledger, pages, changes)
    const { position } = history(1, n + 1)[n]!
    return { changes, position: { ...position, commit: pages, postApplyChecksum: ledger.checksum } }
  })
}

describe('the capture state', () => {
  it('knows nothing in a new folder', () => {
    using folder = new TempFolder('state')
    expect(reopened(folder)).toMatchObject({ position: undefined, torn: false })
  })

  it('comes back after every capture', () => {
    using folder = new TempFolder('state')
    const steps = history(1, 12)
    for (let n = 1; n <= steps.length; n++) {
      const state = prepared(folder, steps.slice(0, n))
      state.close()
      expect(reopened(folder).position).toEqual(steps[n - 1]!.position)
      expect([...reopened(folder).ledger.words()]).toEqual([...ledgerAfter(steps.slice(0, n)).words()])
    }
  })

  it('moves its place in the WAL without a transaction', () => {
    using folder = new TempFolder('state')
    const state = prepared(folder, history(2, 3))
    const { position } = state
    state.moveTo(walAt(99))
    state.close()
    expect(reopened(folder).position).toEqual({ ...position, wal: walAt(99) })
  })

  it('forgets everything on reset', () => {
    using folder = new TempFolder('state')
    const state = prepared(folder, history(3, 4))
    state.reset()
    expect(state.position).toBeUndefined()
    state.close()
    expect(reopened(folder)).toMatchObject({ position: undefined, torn: false })
  })

  it('refuses to move when there is nothing to move', () => {
    using folder = new TempFolder('state')
    const state = CaptureState.open(newFolder(folder))
    expect(() => state.moveTo(walAt(1))).toThrow(TypeError)
    state.close()
  })
})

describe('death in the middle of a step', () => {
  it.each([
    ['journal:before-append', false],
    ['journal:torn-append', false],
    ['journal:after-append', true],
  ] as const)('L2: of a capture, at %s: the record counts: %s', (where, counts) => {
    using folder = new TempFolder('state')
    const steps = history(4, 5)
    const death = deathAt(where)
    const state = prepared(folder, steps.slice(0, 4), death.hook)
    death.armed = true
    expect(() => state.advance(steps[4]!.position, steps[4]!.changes)).toThrow(Died)
    state.close()
    const last = steps[counts ? 4 : 3]!
    expect(reopened(folder).position).toEqual(last.position)
    // The next one captures the same again, and that counts.
    const second = CaptureState.open(newFolder(folder))
    if (!counts) second.advance(steps[4]!.position, steps[4]!.changes)
    second.moveTo(walAt(500))
    second.close()
    expect(reopened(folder).position).toEqual({ ...steps[4]!.position, wal: walAt(500) })
  })

  it.each([
    ['ledger:before-write', false],
    ['ledger:before-rename', false],
    ['ledger:after-rename', true],
    ['ledger:after-truncate', true],
  ] as const)('L1: of a new base, at %s: the new one counts: %s', (where, counts) => {
    using folder = new TempFolder('state')
    const steps = history(5, 6)
    const death = deathAt(where)
    const state = prepared(folder, steps.slice(0, 4), death.hook)
    death.armed = true
    const base = { ...steps[5]!.position, wal: walAt(77) }
    expect(() => state.replace(base, ledgerAfter(steps))).toThrow(Died)
    state.close()
    expect(reopened(folder).position).toEqual(counts ? base : steps[3]!.position)
    const second = CaptureState.open(newFolder(folder))
    second.replace(base, ledgerAfter(steps))
    second.moveTo(walAt(78))
    second.close()
    expect(reopened(folder).position).toEqual({ ...base, wal: walAt(78) })
  })

  it.each([
    'ledger:before-write',
    'ledger:before-rename',
    'ledger:after-rename',
    'ledger:after-truncate',
  ] as const)('L1: of a rewrite of the ledger, at %s: no capture is forgotten', (where) => {
    using folder = new TempFolder('state')
    using copy = new TempFolder('state')
    const steps = largeSteps(8)
    let copied: Position | undefined
    let current: Position | undefined
    // What is on disk when the process dies there, which is the first time that the journal is too long.
    const state = prepared(folder, steps.slice(0, 1), (name) => {
      if (name !== where || current === undefined || copied !== undefined) return
      copied = current
      cpSync(newFolder(folder).path, newFolder(copy).path, { recursive: true })
    })
    for (const step of steps.slice(1)) {
      current = step.position
      state.advance(step.position, step.changes)
    }
    state.close()
    expect(copied).toBeDefined()
    expect(reopened(copy).position).toEqual(copied)
    const second = CaptureState.open(newFolder(copy))
    second.moveTo(walAt(4321))
    second.close()
    expect(reopened(copy).position).toEqual({ ...copied, wal: walAt(4321) })
    expect(reopened(folder).position).toEqual(steps[7]!.position)
  })
})

describe('a disk that is full', () => {
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })

  it.each(['journal:before-append', 'journal:torn-append'] as const)(
    'K3: a record that does not fit (%s) is an error with a hint, and changes nothing',
    (where) => {
      using folder = new TempFolder('state')
      const steps = history(6, 5)
      let isFull = false
      const state = prepared(folder, steps.slice(0, 4), (name) => {
        if (isFull && name === where) throw full
      })
      const before = state.ledger.checksum
      isFull = true
      expect(() => state.advance(steps[4]!.position, steps[4]!.changes)).toThrow(
        expect.objectContaining({ name: 'PrimaryError', code: 'disk-full', hint: expect.any(String) }),
      )
      expect(state.position).toEqual(steps[3]!.position)
      expect(state.ledger.checksum).toBe(before)
      isFull = false
      state.advance(steps[4]!.position, steps[4]!.changes)
      state.close()
      expect(reopened(folder).position).toEqual(steps[4]!.position)
    },
  )

  it.each(['ledger:before-write', 'ledger:before-rename', 'ledger:after-rename'] as const)(
    'P2: a ledger that cannot be rewritten (%s) does not undo the capture that is in the journal',
    (where) => {
      using folder = new TempFolder('state')
      const steps = largeSteps(16)
      let isFull = false
      let tried = 0
      const state = prepared(folder, steps.slice(0, 1), (name) => {
        if (name !== where || !isFull) return
        tried++
        throw full
      })
      isFull = true
      // The caller takes an error for "not captured" and drops the file: that would be a hole in the replica.
      for (const step of steps.slice(1, 11)) {
        state.advance(step.position, step.changes)
        expect(reopened(folder).position).toEqual(step.position)
      }
      expect(tried).toBeGreaterThan(1)
      expect(state.position).toEqual(steps[10]!.position)
      expect(reopened(folder).position).toEqual(steps[10]!.position)
      const long = readFileSync(newFolder(folder).journal).length
      isFull = false
      for (const step of steps.slice(11)) state.advance(step.position, step.changes)
      state.close()
      expect(reopened(folder).position).toEqual(steps[15]!.position)
      expect(readFileSync(newFolder(folder).journal).length).toBeLessThan(long)
    },
  )

  it.runIf(existsSync('/dev/full'))('a new base that does not fit leaves the old one', () => {
    using folder = new TempFolder('state')
    const steps = history(7, 5)
    const state = prepared(folder, steps.slice(0, 4))
    symlinkSync('/dev/full', `${newFolder(folder).ledger}.tmp`)
    expect(() => state.replace(steps[4]!.position, ledgerAfter(steps))).toThrow(
      expect.objectContaining({ name: 'PrimaryError', code: 'disk-full' }),
    )
    expect(state.position).toEqual(steps[3]!.position)
    state.close()
    expect(reopened(folder).position).toEqual(steps[3]!.position)
  })
})

describe('damage', () => {
  it('L3: with a damaged ledger nothing is believed, and a new base ends that', () => {
    using folder = new TempFolder('state')
    const steps = history(8, 6)
    prepared(folder, steps.slice(0, 5)).close()
    const path = newFolder(folder).ledger
    const bytes = readFileSync(path)
    bytes[90]! ^= 1
    writeFileSync(path, bytes)
    const state = CaptureState.open(newFolder(folder))
    expect(state.position).toBeUndefined()
    state.replace(steps[5]!.position, ledgerAfter(steps))
    state.close()
    expect(reopened(folder).position).toEqual(steps[5]!.position)
  })

  it('L3: records of the time before the damage are never replayed onto the new base', () => {
    using folder = new TempFolder('state')
    const steps = history(9, 5)
    const death = deathAt('ledger:after-rename')
    const first = prepared(folder, steps.slice(0, 1))
    // Moves change no checksum, so no checksum gives them away.
    for (let frame = 1; frame < 9; frame++) first.moveTo(walAt(frame))
    first.close()
    const path = newFolder(folder).ledger
    writeFileSync(path, readFileSync(path).subarray(1))
    const second = CaptureState.open(newFolder(folder), { failpoint: death.hook })
    death.armed = true
    const base = { ...steps[0]!.position, txid: steps[4]!.position.txid, wal: walAt(4000) }
    expect(() => second.replace(base, ledgerAfter(steps.slice(0, 1)))).toThrow(Died)
    second.close()
    expect(reopened(folder).position).toEqual(base)
  })

  it('L3: what lies behind a damaged record is told apart from a torn append, and never comes back', () => {
    using folder = new TempFolder('state')
    const steps = history(10, 2)
    const state = prepared(folder, steps)
    const ends: number[] = []
    for (let frame = 1; frame < 9; frame++) {
      state.moveTo(walAt(frame))
      ends.push(readFileSync(newFolder(folder).journal).length)
    }
    state.close()
    const { journal } = newFolder(folder)
    const bytes = readFileSync(journal)
    bytes[ends[3]! + 57]! ^= 1
    writeFileSync(journal, bytes)
    const second = CaptureState.open(newFolder(folder))
    expect(second.torn).toBe(true)
    expect(second.position).toEqual({ ...steps[1]!.position, wal: walAt(4) })
    // Looking does not change anything.
    expect(reopened(folder).torn).toBe(true)
    second.moveTo(walAt(50))
    second.close()
    expect(reopened(folder)).toMatchObject({ position: { wal: walAt(50) }, torn: false })
  })
})
