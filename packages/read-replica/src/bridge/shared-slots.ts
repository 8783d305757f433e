import { concatBytes } from '@sqlstream/storage'
import { FetchFailed, FileGone, type RangeSource, type Ticket } from '../pages/page-source.ts'
import { REQUEST_BYTES } from '../pages/read-ahead.ts'

/** Requests that can be under way at a time; the last one is kept for new plans. */
const SLOTS = 16
/** Words for each slot: its state, then bytes or the number of a failure. */
const WORDS = 2
const HEAD_BYTES = 4096
/** The word before the slots: which call is to end. */
const STOP = 1000

const STATE = { free: 0, asked: 1, done: 2, gone: 3, failed: 4 } as const

/** Bytes of the memory that both sides share. A system gives it as it is used. */
export const SHARED_BYTES: number = HEAD_BYTES + SLOTS * REQUEST_BYTES

/** What the thread of SQLite asks the other side. */
export type SlotRequest =
  | {
      readonly type: 'fetch'
      readonly slot: number
      readonly file: number
      readonly offset: number
      readonly length: number
    }
  | {
      readonly type: 'replan'
      readonly slot: number
      readonly session: number
      readonly txid: bigint
      readonly from: number
    }

/** The side that brings bytes: it never waits. */
export class SlotWriter {
  readonly #words: Int32Array
  readonly #buffer: SharedArrayBuffer

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer
    this.#words = new Int32Array(buffer, 0, HEAD_BYTES / 4)
  }

  /** Where the answer to a request goes, until it is done. */
  memory(slot: number): Uint8Array {
    return new Uint8Array(this.#buffer, HEAD_BYTES + slot * REQUEST_BYTES, REQUEST_BYTES)
  }

  /** The memory of the slot holds the answer, in so many bytes. */
  done(slot: number, byteLength: number): void {
    this.#answer(slot, STATE.done, byteLength)
  }

  /** The file is not there. */
  gone(slot: number): void {
    this.#answer(slot, STATE.gone, 0)
  }

  /** It went wrong; the number says what to those who keep the error. */
  failed(slot: number, failure: number): void {
    this.#answer(slot, STATE.failed, failure)
  }

  /** Lets SQLite end the call with this number as soon as it looks. */
  stop(call: number): void {
    Atomics.store(this.#words, STOP, call)
  }

  #answer(slot: number, state: number, value: number): void {
    Atomics.store(this.#words, slot * WORDS + 1, value)
    Atomics.store(this.#words, slot * WORDS, state)
    Atomics.notify(this.#words, slot * WORDS)
  }
}

/** The side of SQLite: it asks by a message and waits by blocking. */
export class SlotReader implements RangeSource {
  readonly #words: Int32Array
  readonly #buffer: SharedArrayBuffer
  readonly #ask: (request: SlotRequest) => void

  constructor(buffer: SharedArrayBuffer, ask: (request: SlotRequest) => void) {
    this.#buffer = buffer
    this.#words = new Int32Array(buffer, 0, HEAD_BYTES / 4)
    this.#ask = ask
  }

  /** Whether the call with this number is to end. */
  isStopped(call: number): boolean {
    return Atomics.load(this.#words, STOP) === call
  }

  start(file: number, offset: number, length: number): Ticket | undefined {
    for (let slot = 0; slot < SLOTS - 1; slot++) {
      if (Atomics.load(this.#words, slot * WORDS) !== STATE.free) continue
      this.#claim(slot)
      this.#ask({ type: 'fetch', slot, file, offset, length })
      return slot
    }
    return undefined
  }

  isDone(slot: Ticket): boolean {
    return Atomics.load(this.#words, slot * WORDS) !== STATE.asked
  }

  take(slot: Ticket): Uint8Array {
    const at = slot * WORDS
    while (Atomics.load(this.#words, at) === STATE.asked) Atomics.wait(this.#words, at, STATE.asked)
    const state = Atomics.load(this.#words, at)
    const value = Atomics.load(this.#words, at + 1)
    if (state === STATE.gone) throw new FileGone()
    if (state !== STATE.done) throw new FetchFailed(value)
    return new Uint8Array(this.#buffer, HEAD_BYTES + slot * REQUEST_BYTES, value)
  }

  release(slot: Ticket): void {
    Atomics.store(this.#words, slot * WORDS, STATE.free)
  }

  replan(session: number, txid: bigint): Uint8Array<ArrayBuffer> {
    // The answer may be longer than a slot: its first eight bytes say how long, and it is fetched part by part.
    const parts: Uint8Array[] = []
    let total = Number.POSITIVE_INFINITY
    for (let from = 0; from < total; ) {
      const slot = SLOTS - 1
      this.#claim(slot)
      try {
        this.#ask({ type: 'replan', slot, session, txid, from })
        const part = this.take(slot).slice()
        if (from === 0) total = new DataView(part.buffer).getFloat64(0)
        parts.push(part)
        from += part.byteLength
      } finally {
        this.release(slot)
      }
    }
    return concatBytes(parts, total)
  }

  #claim(slot: number): void {
    Atomics.store(this.#words, slot * WORDS, STATE.asked)
  }
}
