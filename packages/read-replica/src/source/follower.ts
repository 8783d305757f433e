import { type Checksum, formatTXID, isLTXError, type TXID, toTXID } from '@sqlstream/ltx'
import {
  type Catalog,
  capturesAfter,
  filesOf,
  headOf,
  type LoadedFile,
  type LTXFile,
  loadNextCapture,
  planContinuation,
  ReplicaError,
} from '@sqlstream/replica'
import { Slots } from '@sqlstream/storage'
import { ReadReplicaError } from '../errors.ts'
import type { FollowOutcome, FollowPlan, FollowStep } from './follow-plan.ts'
import {
  checkChain,
  HEAD_BYTES,
  type LoadedView,
  loadChecked,
  loadView,
  type ViewRecord,
  viewFile,
} from './load-view.ts'
import { isUnreachable, type ReplicaSource } from './replica-source.ts'

/** Files that are read at a time. */
const PARALLEL_FILES = 16
/** A capture that is not readable yet may be on its way into the store; after so many rounds it is damaged. */
const MOST_UNREADY = 10

/** What a follower needs. */
export interface FollowerOptions {
  readonly source: ReplicaSource
  readonly plan: FollowPlan
  /** The session that is to show the newest state. */
  readonly session: number
  /** A newer state, or other files for the same one. */
  readonly adopt: (view: LoadedView) => void
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
}

/** A state that was shown. */
export interface ReachedState {
  readonly txid: TXID
  /** Of all its pages, where it is known. */
  readonly checksum: Checksum | undefined
}

/** Learns of new states, one round at a time. */
export class Follower {
  readonly #source: ReplicaSource
  readonly #plan: FollowPlan
  readonly #adopt: (view: LoadedView) => void
  readonly #now: () => number
  readonly #session: number
  #confirmed: number
  #unready = 0
  #round: Promise<boolean> | undefined

  constructor({ source, plan, session, adopt, now }: FollowerOptions) {
    this.#source = source
    this.#plan = plan
    this.#session = session
    this.#adopt = adopt
    this.#now = now
    this.#confirmed = now()
    plan.listedAll(this.#confirmed)
  }

  /** When the state was known to be the newest one, ms since the Unix epoch. */
  get confirmed(): number {
    return this.#confirmed
  }

  /**
   * Looks for newer states, and resolves with whether there were any. Calls during a round that is under way share it, unless they want to be thorough.
   *
   * @throws what kept it from knowing: the store's errors, ReplicaError, ReadReplicaError `went-back`
   */
  async round(
    options: { readonly isThorough?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    const { isThorough = false, signal } = options
    while (this.#round !== undefined) {
      const shared = this.#round
      if (!isThorough) return await shared
      await shared.catch(() => undefined)
    }
    this.#round = this.#runRound(isThorough, signal)
    try {
      return await this.#round
    } finally {
      this.#round = undefined
    }
  }

  /**
   * Shows a state that was shown already, by whoever was ahead of this one, or a newer one.
   *
   * @throws ReadReplicaError `went-back` when there is none; as a round
   */
  async reach(state: ReachedState, signal: AbortSignal | undefined): Promise<void> {
    while (this.#round !== undefined) await this.#round.catch(() => undefined)
    if (this.#record.txid >= state.txid) return
    this.#round = this.#runReach(state, signal)
    try {
      await this.#round
    } finally {
      this.#round = undefined
    }
  }

  async #runReach({ txid, checksum }: ReachedState, signal: AbortSignal | undefined): Promise<boolean> {
    const { replica, files } = this.#source
    try {
      return await this.#source.update(this.#session, async (held) => {
        const view = await loadView(replica, files, { kind: 'txid', txid }, { held, signal })
        const found = view.record.checksum
        if (found !== undefined && checksum !== undefined && found !== checksum) throw otherHistory(txid)
        this.#adopt(view)
        return true
      })
    } catch (error) {
      if (!isUnreachable(error)) throw error
    }
    // Merged into later ones, it cannot be compared any more.
    await this.#listAll(signal)
    if (this.#record.txid < txid) throw wentBack(txid, this.#record.txid)
    return true
  }

  async #runRound(isThorough: boolean, signal: AbortSignal | undefined): Promise<boolean> {
    const begun = this.#now()
    let hasAdvanced = false
    let isKnown = true
    let nothingSince: number | undefined
    try {
      let step = this.#plan.begin(begun, isThorough)
      while (step !== 'done') {
        const asked = this.#now()
        const outcome = await this.#carryOut(step, signal)
        hasAdvanced ||= outcome === 'advanced'
        isKnown = outcome !== 'unready'
        if (outcome === 'nothing') nothingSince = asked
        step = this.#plan.next(outcome === 'unready' ? 'nothing' : outcome, this.#now())
      }
      if (isKnown) this.#unready = 0
      // A round that fails has learnt of a gap, or of nothing.
      if (isKnown && nothingSince !== undefined) this.#confirmed = nothingSince
      return hasAdvanced
    } catch (error) {
      this.#plan.failed()
      throw error
    }
  }

  async #carryOut(step: FollowStep, signal: AbortSignal | undefined): Promise<FollowOutcome | 'unready'> {
    if (step === 'probe') return await this.#probe(signal)
    if (step === 'list-captures') {
      const catalog = await capturesAfter(this.#source.replica, this.#record.txid, { signal })
      return await this.#advanceBy(catalog, signal)
    }
    return await this.#listAll(signal)
  }

  async #probe(signal: AbortSignal | undefined): Promise<FollowOutcome | 'unready'> {
    const { replica } = this.#source
    let loaded: LoadedFile | undefined
    try {
      loaded = await loadNextCapture(replica, toTXID(this.#record.txid + 1n), {
        headBytes: HEAD_BYTES,
        signal,
      })
    } catch (error) {
      if (!isLTXError(error)) throw error
      this.#unready++
      if (this.#unready < MOST_UNREADY) return 'unready'
      const cause = error
      throw new ReplicaError('corrupt', `the capture after the newest state that is read: ${error.message}`, {
        cause,
      })
    }
    if (!loaded) return 'nothing'
    this.#extend([loaded])
    return 'advanced'
  }

  async #advanceBy(catalog: Catalog, signal: AbortSignal | undefined): Promise<FollowOutcome> {
    const { files, txid, head } = planContinuation(catalog, this.#record.txid)
    if (files.length > 0) this.#extend(await this.#load(files, signal))
    if (head !== undefined && head > txid) return 'gap'
    return files.length > 0 ? 'advanced' : 'nothing'
  }

  async #listAll(signal: AbortSignal | undefined): Promise<FollowOutcome> {
    const { replica, files } = this.#source
    const catalog = await replica.catalog({ signal })
    const { txid } = this.#record
    const head = headOf(catalog) ?? toTXID(0n)
    if (head < txid) throw wentBack(txid, head)
    const keys = new Set(filesOf(catalog).map(({ key }) => key))
    const isWhole = [...this.#record.keys].every((key) => keys.has(key))
    const plan = planContinuation(catalog, txid)
    // Files that are gone leave pages that cannot be read any more: the same state has others.
    if (isWhole && plan.txid === head) return await this.#advanceBy(catalog, signal)
    // As far as it goes: a hole behind it keeps from the newest state, not from this one.
    if (isWhole && plan.files.length > 0) this.#extend(await this.#load(plan.files, signal))
    return await this.#source.update(this.#session, async (held) => {
      const view = await loadView(replica, files, { kind: 'latest' }, { held, signal })
      if (view.record.txid < txid) throw wentBack(txid, view.record.txid)
      this.#adopt(view)
      return view.record.txid > txid ? 'advanced' : 'nothing'
    })
  }

  async #load(files: readonly LTXFile[], signal: AbortSignal | undefined): Promise<LoadedFile[]> {
    const slots = new Slots(PARALLEL_FILES)
    const { replica } = this.#source
    return await Promise.all(
      files.map((file) =>
        slots.run(() => loadChecked(replica, file, { withHeader: true, headBytes: HEAD_BYTES, signal }), {
          signal,
        }),
      ),
    )
  }

  #extend(loaded: readonly LoadedFile[]): void {
    const before = this.#record
    checkChain(loaded, before)
    const { file, header } = loaded[loaded.length - 1] as LoadedFile
    if (!header) throw new TypeError('a file without its header')
    const state = {
      txid: file.maxTXID,
      time: header.timestamp,
      pageSize: header.pageSize,
      commit: header.commit,
    }
    this.#adopt({
      update: { state, from: 'newest', files: loaded.map((each) => viewFile(this.#source.files, each)) },
      record: {
        ...state,
        base: before.base,
        keys: new Set([...before.keys, ...loaded.map((each) => each.file.key)]),
        checksum: header.proof?.postApplyChecksum,
      },
    })
  }

  get #record(): ViewRecord {
    return this.#source.recordOf(this.#session)
  }
}

function wentBack(txid: TXID, head: TXID): ReadReplicaError {
  return new ReadReplicaError(
    'went-back',
    `the backup ends at TXID ${head}, although TXID ${txid} was read from it already`,
    {
      hint: 'Another database is backed up here now, or files were deleted: open it anew to read what is there.',
    },
  )
}

function otherHistory(txid: TXID): ReadReplicaError {
  return new ReadReplicaError(
    'went-back',
    `TXID ${formatTXID(txid)} of the backup is not the state that was read as that`,
    {
      hint: 'Somebody else goes on with this backup from an earlier state: open it anew to read what is there.',
    },
  )
}
