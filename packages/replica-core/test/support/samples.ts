import { checksumPage, type PageSize, toTXID } from '@sqlstream/ltx'
import { Random } from '@sqlstream/testkit'
import type { LedgerChanges } from '../../src/state/journal.ts'
import { Ledger } from '../../src/state/ledger.ts'
import type { Position, WALPosition } from '../../src/state/position.ts'

/** The two words of the checksum of a page. */
export function wordsOf(pgno: number, data: Uint8Array): [low: number, high: number] {
  const sum = checksumPage({ pgno, data })
  return [Number(sum & 0xffffffffn), Number(sum >> 32n)]
}

/** Changes that give these pages these contents. */
export function changesOf(pages: ReadonlyMap<number, Uint8Array>): LedgerChanges {
  const pgnos = Uint32Array.from([...pages.keys()].sort((a, b) => a - b))
  const sums = new Uint32Array(pgnos.length * 2)
  for (const [i, pgno] of pgnos.entries()) sums.set(wordsOf(pgno, pages.get(pgno)!), i * 2)
  return { count: pgnos.length, pgnos, sums }
}

/** Random contents for some of the pages of a database of `commit` pages; all of those above `before`. */
export function randomChanges(random: Random, commit: number, before: number): LedgerChanges {
  const pages = new Map<number, Uint8Array>()
  for (let pgno = 1; pgno <= commit; pgno++) {
    if (pgno > before || random.chance(0.3)) pages.set(pgno, random.bytes(512))
  }
  return changesOf(pages)
}

/** A place in a WAL whose numbers are all different. */
export function walAt(frame: number, generation = 7): WALPosition {
  return {
    salt1: generation,
    salt2: 0xfffffff0 + generation,
    frame,
    checksum1: frame * 31,
    checksum2: 0xf0000000 + frame,
  }
}

/** One step of a history: the position after it and what it changed. */
export interface Step {
  readonly position: Position
  readonly changes: LedgerChanges
}

/** A random history of captures, each growing or shrinking the database, from TXID 1 on. */
export function history(
  seed: number,
  steps: number,
  options: { pages?: number; pageSize?: PageSize } = {},
): Step[] {
  const { pages = 12, pageSize = 512 } = options
  const random = new Random(seed)
  const ledger = new Ledger()
  const result: Step[] = []
  for (let i = 1; i <= steps; i++) {
    const before = ledger.pageCount
    const commit = 1 + random.below(pages)
    const changes = randomChanges(random, commit, before)
    const postApplyChecksum = ledger.checksumAfter(commit, changes.count, changes.pgnos, changes.sums)
    ledger.resize(commit)
    for (let n = 0; n < changes.count; n++) {
      ledger.set(changes.pgnos[n]!, changes.sums[n * 2]!, changes.sums[n * 2 + 1]!)
    }
    const position: Position = {
      txid: toTXID(BigInt(i)),
      postApplyChecksum,
      pageSize,
      commit,
      timestamp: 1_700_000_000_000 + i + 0.25,
      wal: walAt(i * 3),
    }
    result.push({ position, changes })
  }
  return result
}

/** The ledger after some steps, built page by page. */
export function ledgerAfter(steps: readonly Step[]): Ledger {
  const ledger = new Ledger(1)
  for (const { position, changes } of steps) {
    ledger.resize(position.commit)
    for (let i = 0; i < changes.count; i++) {
      ledger.set(changes.pgnos[i]!, changes.sums[i * 2]!, changes.sums[i * 2 + 1]!)
    }
  }
  return ledger
}
