import { restorableTXIDs } from '@sqlstream/replica'
import { Random } from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { isReadReplicaError, type ReadReplica } from '../src/index.ts'
import { openReplica } from '../src/node/index.ts'
import { CHANGES_SETUP, change } from './support/changes.ts'
import { dumpBy } from './support/dump.ts'
import { History, timeOf } from './support/history.ts'
import {
  compactNow,
  dispensableFiles,
  lookAt,
  removeFiles,
  retainNow,
  snapshotNow,
} from './support/maintain.ts'

const STEPS = Number(process.env['SQLSTREAM_READER_STEPS'] ?? 500)
const SEED = Number(process.env['SQLSTREAM_READER_SEED'] ?? 1)

/** A reader of a fixed state. */
interface Fixed {
  readonly replica: ReadReplica
  readonly dump: string
}

class Campaign {
  readonly counts: Record<string, number> = {}
  readonly #random: Random
  readonly #history: History
  readonly #head: ReadReplica
  #fixed: Fixed[] = []

  constructor(random: Random, history: History, head: ReadReplica) {
    this.#random = random
    this.#history = history
    this.#head = head
  }

  async step(): Promise<void> {
    const random = this.#random
    const dice = random.below(100)
    if (dice < 35) await this.#history.commit(change(random))
    else if (dice < 45) await this.#maintain()
    else if (dice < 50) await this.#loseFile()
    else if (dice < 70) await this.#readHead(random.chance(0.6))
    else if (dice < 80) await this.#open()
    else if (dice < 94) await this.#readFixed()
    else await this.#readSnapshot()
  }

  async close(): Promise<void> {
    for (const { replica } of this.#fixed) await replica.close()
  }

  async #maintain(): Promise<void> {
    await compactNow(this.#history)
    if (this.#random.chance(0.2)) await snapshotNow(this.#history)
    this.#count('removed', await retainNow(this.#history, this.#random.integer(1, 10) * 1000))
  }

  async #loseFile(): Promise<void> {
    const files = await dispensableFiles(this.#history)
    if (files.length === 0) return
    await removeFiles(this.#history, [this.#random.pick(files)])
    this.#count('lost')
  }

  async #readHead(withRefresh: boolean): Promise<void> {
    const before = this.#head.position.txid
    if (withRefresh) {
      await this.#head.refresh()
      expect(this.#head.position.txid).toBe(this.#history.txid)
    }
    await this.#expectState(this.#head, before)
    this.#count('head')
  }

  /** Several queries are of one state only inside of a batch or a snapshot: here the head may move when files are gone. */
  async #expectState(replica: ReadReplica, atLeast: bigint): Promise<void> {
    await replica
      .snapshot(async (tx) => {
        expect(tx.position.txid).toBeGreaterThanOrEqual(atLeast)
        expect(await dumpBy(tx)).toBe(this.#history.dumps[Number(tx.position.txid)])
      })
      .catch((error: unknown) => this.#mayBeGone(error))
    const row = await replica.get<{ n: number; txid: string }>(
      'SELECT (SELECT count(*) FROM t) AS n, sqlstream_txid() AS txid',
    )
    const txid = Number(`0x${row?.txid}`)
    expect(txid).toBeGreaterThanOrEqual(Number(atLeast))
    const expected = this.#history.dumps[txid]?.split('\nt\n')[1]?.split('\n') ?? []
    expect(row?.n).toBe(expected.filter((line) => line.startsWith('[')).length)
  }

  async #open(): Promise<void> {
    const points = restorableTXIDs(await lookAt(this.#history.replica))
    const txid = this.#random.pick(points)
    const isByTime = this.#random.chance(0.5)
    const at = isByTime ? { time: new Date(timeOf(txid) + 500) } : { txid }
    const replica = await this.#head.asOf(at)
    expect(replica.position.txid).toBe(txid)
    expect(replica.position.time).toEqual(new Date(timeOf(txid)))
    const expected = this.#history.dumps[Number(txid)] as string
    // Some are read at once, others when their files are gone.
    if (this.#random.chance(0.5)) expect(await dumpBy(replica)).toBe(expected)
    this.#fixed.push({ replica, dump: expected })
    if (this.#fixed.length > 6) await this.#fixed.shift()?.replica.close()
    this.#count(isByTime ? 'by time' : 'by txid')
  }

  async #readFixed(): Promise<void> {
    if (this.#fixed.length === 0) return
    const { replica, dump } = this.#random.pick(this.#fixed)
    try {
      expect(await dumpBy(replica)).toBe(dump)
      this.#count('fixed')
    } catch (error) {
      this.#mayBeGone(error)
      this.#fixed = this.#fixed.filter((each) => each.replica !== replica)
      await replica.close()
    }
  }

  /** A state that is held while others are written, merged and removed. */
  async #readSnapshot(): Promise<void> {
    const random = this.#random
    const work = this.#head.snapshot(async (tx) => {
      const expected = this.#history.dumps[Number(tx.position.txid)]
      for (let i = 0; i < 3; i++) {
        await this.#history.commit(change(random))
        await this.#maintain()
        await this.#head.refresh()
        expect(await dumpBy(tx)).toBe(expected)
      }
      this.#count('snapshot')
    })
    await work.catch((error: unknown) => this.#mayBeGone(error))
  }

  #mayBeGone(error: unknown): void {
    if (!isReadReplicaError(error, 'snapshot-gone')) throw error
    this.#count('gone')
  }

  #count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by
  }
}

test.each([512, 1024] as const)(
  `M1, T42: readers at the head, held and of the past see committed states while a writer, merges and removals go on (pages of %i bytes)`,
  async (pageSize) => {
    const random = new Random(SEED * 1000 + pageSize)
    using history = new History({
      pageSize,
      setup: 'PRAGMA auto_vacuum = INCREMENTAL',
      hasProofs: random.chance(0.5),
    })
    await history.commit(CHANGES_SETUP)
    await history.commit(change(random))
    const { store } = history
    await using head = await openReplica({
      store,
      poll: false,
      cache: { bytes: 40 * pageSize, readAhead: { gapBytes: 600 } },
    })
    const campaign = new Campaign(random, history, head)
    for (let step = 1; step <= STEPS; step++) {
      try {
        await campaign.step()
      } catch (error) {
        throw new Error(`step ${step} of seed ${SEED}: ${(error as Error).message}`, { cause: error })
      }
    }
    await campaign.close()
    const { counts } = campaign
    process.stdout.write(`${JSON.stringify(counts)}\n`)
    for (const what of ['head', 'by time', 'by txid', 'fixed', 'snapshot', 'lost', 'removed', 'gone']) {
      expect(counts[what], what).toBeGreaterThan(0)
    }
  },
  3_600_000,
)
