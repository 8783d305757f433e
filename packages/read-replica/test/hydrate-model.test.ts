import { rmSync } from 'node:fs'
import { Random, TempFolder } from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { isReadReplicaError, type ReadReplica } from '../src/index.ts'
import { openReplica } from '../src/node/index.ts'
import { CHANGES_SETUP, change } from './support/changes.ts'
import { dumpBy } from './support/dump.ts'
import { History } from './support/history.ts'
import { compactNow, retainNow, snapshotNow } from './support/maintain.ts'
import { withoutRoom } from './support/without-room.ts'

const STEPS = Number(process.env['SQLSTREAM_HYDRATE_STEPS'] ?? 200)
const SEED = Number(process.env['SQLSTREAM_HYDRATE_SEED'] ?? 1)

/** Of a state, in one row. */
const DIGEST = `SELECT sqlstream_txid() AS txid, (SELECT count(*) FROM t) AS n,
  (SELECT group_concat(a, '|') FROM (SELECT a FROM t ORDER BY id)) AS a`

class Campaign {
  readonly counts: Record<string, number> = {}
  readonly #random: Random
  readonly #history: History
  readonly #path: string
  readonly #digests = new Map<bigint, unknown>()
  #head: ReadReplica | undefined
  #seen = 0n
  #failures = 0
  /** The copy will not come back. */
  #hasEnded = false
  #errors: unknown[] = []

  constructor(random: Random, history: History, path: string) {
    this.#random = random
    this.#history = history
    this.#path = path
  }

  async open(): Promise<void> {
    await this.close()
    this.#hasEnded = false
    const head = await openReplica({
      store: this.#history.store,
      poll: this.#random.chance(0.3) && { intervalMs: 1 },
      hydrate: { path: this.#path, holdMs: this.#random.pick([0, 1, 50]) },
    })
    head.on('hydrated', () => this.#count('hydrated'))
    head.on('error', (error) => {
      this.#errors.push(error)
      this.#hasEnded ||= (error as Error).name === 'FollowerError'
    })
    this.#head = head
    this.#seen = head.position.txid
    this.#errors = []
  }

  async close(): Promise<void> {
    await this.#head?.close()
  }

  async commit(sql = change(this.#random)): Promise<void> {
    const txid = await this.#history.commit(sql)
    const row = this.#history.db.prepare(DIGEST.replace('sqlstream_txid() AS txid,', '')).get() as Record<
      string,
      unknown
    >
    this.#digests.set(txid, row)
  }

  async step(): Promise<void> {
    const random = this.#random
    const dice = random.below(100)
    if (dice < 30) await this.commit()
    else if (dice < 35) await this.#maintain()
    else if (dice < 70) await this.#read()
    else if (dice < 78) await this.#snapshot()
    else if (dice < 84) await this.#iterate()
    else if (dice < 88) await this.#fail()
    else if (dice < 97) await this.#becomeHydrated()
    else await this.open()
    // What it has told was provoked.
    for (const error of this.#errors.splice(0)) this.#count((error as { code?: string }).code ?? `${error}`)
  }

  async #maintain(): Promise<void> {
    await compactNow(this.#history)
    if (this.#random.chance(0.2)) await snapshotNow(this.#history)
    await retainNow(this.#history, this.#random.integer(1, 10) * 1000)
  }

  /** Several at a time, while it learns of new states. */
  async #read(): Promise<void> {
    const head = this.#replica
    const least = this.#seen
    const work: Promise<unknown>[] = []
    if (this.#random.chance(0.6)) work.push(this.#orGone(this.#refresh()))
    for (let i = this.#random.integer(1, 4); i > 0; i--) work.push(this.#orGone(this.#readOne(least)))
    if (this.#random.chance(0.3)) work.push(this.commit())
    this.#count(`by ${head.source}`)
    await Promise.all(work)
  }

  async #refresh(): Promise<void> {
    const { txid } = this.#history
    await (this.#random.chance(0.5) ? this.#replica.refresh() : this.#replica.waitFor(txid))
    expect(this.#replica.position.txid).toBeGreaterThanOrEqual(txid)
    this.#see(txid)
  }

  async #readOne(least: bigint): Promise<void> {
    const { txid, ...row } = (await this.#replica.get<{ txid: string }>(DIGEST)) as { txid: string }
    const number = BigInt(`0x${txid}`)
    expect(number).toBeGreaterThanOrEqual(least)
    expect(row).toEqual(this.#digests.get(number))
    this.#see(number)
  }

  async #snapshot(): Promise<void> {
    const source = this.#replica.source
    const work = this.#replica.snapshot(async (tx) => {
      const { txid } = tx.position
      expect(txid).toBeGreaterThanOrEqual(this.#seen)
      this.#see(txid)
      for (let i = this.#random.below(3); i >= 0; i--) {
        expect(await dumpBy(tx)).toBe(this.#history.dumps[Number(txid)])
        await this.commit()
        await this.#orGone(this.#refresh())
        await this.#orGone(this.#readOne(this.#seen))
      }
      this.#count(`snapshot ${source}`)
    })
    await this.#orGone(work)
  }

  async #iterate(): Promise<void> {
    const least = this.#seen
    const ids: unknown[] = []
    let txid: bigint | undefined
    const work = async (): Promise<void> => {
      const sql = 'SELECT sqlstream_txid() AS txid, id, b FROM t ORDER BY id'
      for await (const row of this.#replica.iterate<{ txid: string; id: number }>(sql)) {
        txid ??= BigInt(`0x${row.txid}`)
        ids.push(row.id)
        if (ids.length === 5) await this.commit()
        if (ids.length === 9) await this.#orGone(this.#refresh())
      }
      if (txid === undefined) return
      expect(txid).toBeGreaterThanOrEqual(least)
      expect(ids.length).toBe((this.#digests.get(txid) as { n: number }).n)
      this.#count('iterate')
    }
    await this.#orGone(work())
  }

  /** The copy is taken away, or there is no room for it to go on. */
  async #fail(): Promise<void> {
    await this.#becomeHydrated()
    this.#failures++
    if (this.#failures % 2 === 0) {
      rmSync(this.#path, { force: true })
      await this.commit()
      await this.#orGone(this.#refresh())
      return
    }
    await withoutRoom(async () => {
      await this.commit()
      await this.#orGone(this.#refresh())
    })
  }

  async #becomeHydrated(): Promise<void> {
    if (this.#replica.source === 'hydrated') return
    if (this.#hasEnded) await this.open()
    const head = this.#replica
    await new Promise<void>((resolve) => {
      head.on('hydrated', () => resolve())
      head.on('error', () => resolve())
    })
  }

  /** A state may be gone from the backup before it is read; then there are newer ones. */
  async #orGone(work: Promise<unknown>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!isReadReplicaError(error, 'snapshot-gone')) throw error
      this.#count('gone')
    }
  }

  #see(txid: bigint): void {
    if (txid > this.#seen) this.#seen = txid
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  get #replica(): ReadReplica {
    return this.#head as ReadReplica
  }
}

test('H2, H3: whoever answers, each answer is the state of the TXID that it tells, and none is older than one before', {
  timeout: 3_600_000,
}, async () => {
  const random = new Random(SEED)
  using folder = new TempFolder('hydrate-model')
  using history = new History({ pageSize: 1024, setup: 'PRAGMA auto_vacuum = INCREMENTAL' })
  const campaign = new Campaign(random, history, folder.join('copy.db'))
  await campaign.commit(CHANGES_SETUP)
  await campaign.commit()
  await campaign.open()
  for (let step = 1; step <= STEPS; step++) {
    try {
      await campaign.step()
    } catch (error) {
      throw new Error(`step ${step} of seed ${SEED}: ${(error as Error).message}`, { cause: error })
    }
  }
  await campaign.close()
  process.stdout.write(`${JSON.stringify(campaign.counts)}\n`)
  for (const what of [
    'hydrated',
    'by hydrated',
    'by remote',
    'snapshot hydrated',
    'iterate',
    'ENOSPC',
    'local-changed',
  ]) {
    expect(campaign.counts[what], what).toBeGreaterThan(0)
  }
})
