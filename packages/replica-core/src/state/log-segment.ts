import { closeSync, openSync, rmSync } from 'node:fs'
import { wrapFileError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import { syncLater } from './sync-later.ts'
import { writeAll } from './write-all.ts'

/** What a segment has to know of a database with records in it. */
export interface Flushable {
  /** Number of the newest append that is durable in files of its own. */
  readonly flushed: number
}

/** One file of a log, and who has records in it. */
export class LogSegment<P extends Flushable> {
  readonly #path: string
  readonly #fd: number
  /** The number of the last append of each. */
  readonly #last = new Map<P, number>()
  #length = 0
  /** Bytes that are known to be durable. */
  #durable = 0
  #broken = false
  #syncs = 0
  #ended: 'closed' | 'removed' | undefined

  private constructor(path: string, fd: number) {
    this.#path = path
    this.#fd = fd
  }

  /** @throws PrimaryError `disk-full`, `state-folder`; the system's error where it exists */
  static create<P extends Flushable>(path: string): LogSegment<P> {
    try {
      return new LogSegment<P>(path, openSync(path, 'wx'))
    } catch (error) {
      throw wrapFileError(error, path)
    }
  }

  static remove(path: string): void {
    rmSync(path, { force: true })
  }

  get length(): number {
    return this.#length
  }

  /** A sync failed: what it holds is not believed to be durable, and nothing is added. */
  get broken(): boolean {
    return this.#broken
  }

  /** Whether it says who has this seat. */
  knows(place: P): boolean {
    return this.#last.has(place)
  }

  /** It says so. */
  introduce(place: P): void {
    if (!this.#last.has(place)) this.#last.set(place, 0)
  }

  /** @throws PrimaryError `disk-full`, or the system's error: then the next append takes its place */
  append(parts: readonly Uint8Array[], failpoint?: FailpointHook): void {
    failpoint?.('log:before-append')
    try {
      if (failpoint) {
        const whole = Buffer.concat(parts)
        writeAll(this.#fd, [whole.subarray(0, whole.length >> 1)], this.#length)
        failpoint('log:torn-append')
      }
      this.#length += writeAll(this.#fd, parts, this.#length)
    } catch (error) {
      throw wrapFileError(error, this.#path)
    }
    failpoint?.('log:after-append')
  }

  note(place: P, append: number): void {
    this.#last.set(place, append)
  }

  /** Makes durable what was appended; does nothing once it is {@link broken}. @throws the system's error: then it is */
  async sync(): Promise<void> {
    const length = this.#length
    if (this.#broken || this.#ended !== undefined || this.#durable >= length) return
    this.#syncs++
    try {
      await syncLater(this.#fd)
      this.#durable = length
    } catch (error) {
      this.#broken = true
      throw error
    } finally {
      this.#syncs--
      this.#end()
    }
  }

  /** Those who have something in it that is in no file of their own. */
  unflushed(): P[] {
    const places: P[] = []
    for (const [place, last] of this.#last) if (place.flushed < last) places.push(place)
    return places
  }

  close(): void {
    this.#ended ??= 'closed'
    this.#end()
  }

  remove(): void {
    this.#ended = 'removed'
    LogSegment.remove(this.#path)
    this.#end()
  }

  /** Not while a sync uses the descriptor. */
  #end(): void {
    if (this.#ended !== undefined && this.#syncs === 0) closeSync(this.#fd)
  }
}
