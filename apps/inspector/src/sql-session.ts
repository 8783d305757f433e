import type { TXID } from '@sqlstream/ltx'
import type { ReadReplica, Row } from '@sqlstream/read-replica'
import { openReplica } from '@sqlstream/read-replica/web'
import type { Inspection } from './inspection.ts'

/** Rows that are shown of an answer. More of them would be no picture. */
const MOST_ROWS = 1000

/** What a statement gave. */
export interface Answer {
  readonly rows: readonly Row[]
  /** There are more. */
  readonly isCut: boolean
  readonly ms: number
  /** Calls of the store that it took. */
  readonly requests: number
}

/** One thread of SQLite for all states of a replica; it starts with the first question. */
export class SqlSession {
  readonly #inspection: Inspection
  #base: Promise<ReadReplica> | undefined

  constructor(inspection: Inspection) {
    this.#inspection = inspection
    inspection.signal.addEventListener('abort', () => void this.#close())
  }

  /** @throws ReadReplicaError, ReplicaError, the store's errors, the reason of the signal */
  async ask(sql: string, txid: TXID, signal: AbortSignal): Promise<Answer> {
    const base = await this.#open(txid)
    const began = performance.now()
    const before = base.stats().requests
    await using state = await base.asOf({ txid }, { signal })
    const rows: Row[] = []
    let isCut = false
    for await (const row of state.iterate(sql, [], { signal })) {
      if (rows.length === MOST_ROWS) {
        isCut = true
        break
      }
      rows.push(row)
    }
    return { rows, isCut, ms: performance.now() - began, requests: base.stats().requests - before }
  }

  #open(txid: TXID): Promise<ReadReplica> {
    const { replica, source } = this.#inspection
    this.#base ??= openReplica({
      replica,
      at: { txid },
      poll: false,
      worker: () => new Worker(new URL('./replica-worker.ts', import.meta.url), { type: 'module' }),
      wasmUrl: new URL('sqlite3.wasm', document.baseURI).href,
      urlOf: (key) => source.urlOf(key),
    })
    // What failed is not kept: the next question tries again.
    this.#base.catch(() => {
      this.#base = undefined
    })
    return this.#base
  }

  async #close(): Promise<void> {
    const base = await this.#base?.catch(() => undefined)
    await base?.close()
  }
}
