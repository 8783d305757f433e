import { hostname } from 'node:os'
import { formatTXID, type TXID } from '@sqlstream/ltx'
import {
  isReplicaError,
  type LTXFile,
  type ProvenRestore,
  planRestore,
  proveRestorable,
  Replica,
  ReplicaError,
  type RestorePlan,
  readDoomed,
  readProof,
  withoutRemains,
  writeProof,
} from '@sqlstream/replica'
import { withObserver } from '@sqlstream/storage'
import type { PrimaryListener } from '../events.ts'
import {
  allowanceFor,
  checkVerification,
  type Spent,
  stillCounted,
  type VerificationPolicy,
  verificationDue,
} from './plan-verification.ts'
import { startTimer } from './timer.ts'

const FIRST_RETRY_MS = 5_000
const LAST_RETRY_MS = 600_000
const DAY_MS = 86_400_000

/** What verification works with. */
export interface VerificationContext {
  readonly replica: Replica
  readonly policy: VerificationPolicy
  readonly emit: PrimaryListener
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called when it has looked whether something is due, and has done it. */
  readonly onLooked?: (() => void) | undefined
  /** 0 to 1. Default: random. */
  readonly jitter?: number
}

/**
 * Proves now and then that the newest state can be restored, as another machine would restore it: from a fresh listing, with every page
 * held against the checksum of the database, but without a copy on disk. Records what was proven, in the replica. Runs beside
 * uploads and merges and holds up neither; what it finds wrong it tells, and nothing else.
 */
export class Verification {
  readonly #c: VerificationContext
  readonly #replica: Replica
  readonly #stop = new AbortController()
  readonly #jitter: number
  readonly #beganAt: number
  #head: TXID | undefined
  /** Undefined until the record was read; null when there is none. */
  #proof: ProvenRestore | null | undefined
  #triedAt: number | undefined
  /** Not before this time: the store has failed, or the budget is used up. */
  #notBefore = 0
  #retryInMs = FIRST_RETRY_MS
  #spent: Spent[] = []
  #read = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  /** @throws RangeError for a policy that makes no sense */
  constructor(context: VerificationContext) {
    checkVerification(context.policy)
    this.#c = context
    this.#jitter = context.jitter ?? Math.random()
    this.#beganAt = context.now()
    const { store, layout } = context.replica
    const counting = withObserver(store, ({ operation, bytes }) => {
      if (operation === 'get') this.#read += bytes
    })
    this.#replica = new Replica(counting, { layout })
  }

  /** When a state was last proven restorable, ms since the epoch, as far as is known. */
  get provenAt(): number | undefined {
    return this.#proof?.provenAt.getTime()
  }

  /** The newest transaction in the replica; undefined when it is empty. */
  begin(head: TXID | undefined): void {
    this.#head = head
    this.#schedule()
  }

  /** A file is in the replica now. */
  uploaded({ maxTXID }: LTXFile): void {
    if (this.#head !== undefined && maxTXID <= this.#head) return
    this.#head = maxTXID
    if (this.#timer === undefined) this.#schedule()
  }

  /** Ends what runs, at once. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Resolves when nothing runs. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** When it looks next, milliseconds since 1970; undefined when there is nothing that was not proven. */
  get dueAt(): number | undefined {
    const now = this.#c.now()
    if (this.#head === undefined) return undefined
    // Whether something is due is known when the record was read.
    if (this.#proof === undefined) return Math.max(now, this.#notBefore)
    const proven = this.#proof && { txid: this.#proof.txid, at: this.#proof.provenAt.getTime() }
    const state = {
      head: this.#head,
      proven: proven ?? undefined,
      triedAt: this.#triedAt,
      beganAt: this.#beganAt,
      jitter: this.#jitter,
    }
    const due = verificationDue(state, this.#c.policy, now)
    // Further away than it can be: the clock has gone back.
    if (this.#notBefore > now + DAY_MS) this.#notBefore = now
    return due === undefined ? undefined : Math.max(due, this.#notBefore)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#stop.signal.aborted || this.#running !== undefined) return
    const due = this.dueAt
    if (due === undefined) return
    this.#timer = startTimer(due, this.#c.now(), () => this.#start())
  }

  #start(): void {
    this.#running = this.#look(this.#stop.signal).finally(() => {
      this.#running = undefined
      this.#schedule()
      this.#c.onLooked?.()
    })
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { now, emit, replica } = this.#c
    try {
      this.#proof ??= (await readProof(replica.store, { signal })) ?? null
      const due = this.dueAt
      if (due !== undefined && due <= now()) await this.#verify(signal)
      this.#retryInMs = FIRST_RETRY_MS
    } catch (error) {
      if (signal.aborted) return
      if (isReplicaError(error)) {
        // A verdict: the same files would give the same again.
        this.#triedAt = now()
        emit({ type: 'failed', operation: 'verification', error })
        return
      }
      const retryInMs = this.#retryInMs
      this.#notBefore = now() + retryInMs
      this.#retryInMs = Math.min(2 * retryInMs, LAST_RETRY_MS)
      emit({ type: 'failed', operation: 'verification', error: error as Error, retryInMs })
    }
  }

  async #verify(signal: AbortSignal): Promise<void> {
    const { now, emit, policy, replica } = this.#c
    const plan = await planNewest(replica, signal)
    const needed = plan.files.reduce((sum, { size }) => sum + size, 0)
    this.#spent = stillCounted(this.#spent, now())
    const { fits, left, fitsAt } = allowanceFor(needed, this.#spent, policy, now())
    if (!fits) {
      if (fitsAt === undefined) this.#triedAt = now()
      else this.#notBefore = fitsAt
      const nextAt = new Date(fitsAt ?? now() + policy.everyMs)
      const { bytesPerDay } = policy
      emit({ type: 'verification-skipped', txid: plan.txid, needed, left, bytesPerDay, nextAt })
      return
    }
    const started = performance.now()
    this.#read = 0
    let proof: ProvenRestore
    try {
      const { pos, timestamp, proven } = await proveRestorable(this.#replica, plan, { signal })
      if (!proven) throw unproven(plan)
      const by = `sqlstream replicate on ${hostname()}`
      proof = { ...pos, timestamp, provenAt: new Date(now()), by }
    } finally {
      this.#spent.push({ at: now(), bytes: this.#read })
    }
    const verified = {
      type: 'verified',
      txid: proof.txid,
      bytes: this.#read,
      milliseconds: performance.now() - started,
    } as const
    this.#proof = proof
    try {
      await writeProof(replica.store, proof, { signal })
      emit(verified)
    } catch (error) {
      if (signal.aborted) return
      // It is no less restorable for that, and nothing is read again for it.
      emit(verified)
      emit({ type: 'failed', operation: 'verification', error: error as Error })
    }
  }
}

/** The files of the newest state, from a fresh listing: what another machine would restore from. */
async function planNewest(replica: Replica, signal: AbortSignal): Promise<RestorePlan> {
  const { doomed } = await readDoomed(replica.store, { signal })
  const avoid = new Set(doomed.keys())
  const catalog = withoutRemains(await replica.catalog({ signal }), avoid)
  return planRestore(catalog, { kind: 'latest' }, { avoid })
}

function unproven({ files, txid }: RestorePlan): ReplicaError {
  const file = files.at(-1)
  return new ReplicaError(
    'corrupt',
    `${file?.key} does not tell the checksum of the database at TXID ${formatTXID(txid)}`,
    {
      file,
      hint: 'Files of other programs may carry no such proof; the next file that is captured here does.',
    },
  )
}
