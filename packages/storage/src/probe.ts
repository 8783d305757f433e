import type { AbortOptions, BlobStore, ETag, Precondition } from './blob-store.ts'
import { isStorageError } from './errors.ts'
import { holdsBody } from './holds-body.ts'
import { withinTime } from './within-time.ts'

/** What a store made of preconditions. Each part is about what was tried; nothing is taken from `capabilities`. */
export interface ConditionalPutReport {
  /** A put with 'absent' created an object, and was refused where there was one. */
  readonly createOnly: boolean
  /** A put with 'match' replaced the version that it named, and was refused for an older one and for no object. */
  readonly compareAndSet: boolean
  /** How many of several puts at once were told that they won. 'not-tried': the quick form, or something above failed. */
  readonly races: 'one-winner' | 'several-winners' | 'no-winner' | 'not-tried'
  /** All that was tried held. */
  readonly honoured: boolean
  /** A sentence for each thing that did not, and one if what was written could not be removed. */
  readonly findings: readonly string[]
}

export interface ProbeOptions extends AbortOptions {
  /** Also lets writers race: up to 150 requests instead of 6. Default: false. */
  readonly thorough?: boolean | undefined
}

const WRITERS = 10
const ROUNDS = 5
const CLEAN_UP_MS = 10_000
const UNSUPPORTED = 'the store takes no preconditions'
const encoder = new TextEncoder()

/**
 * Finds out by trying whether a store keeps preconditions: services that do not know them answer as if they had held. Writes
 * a few bytes under random keys below `.sqlstream/probe/` and removes them, so the place may be in use. A `withConcurrency`
 * in between would make the races tame.
 * @throws StorageError if the store cannot be written for another reason; nothing is known then
 */
export async function probeConditionalPut(
  store: BlobStore,
  options: ProbeOptions = {},
): Promise<ConditionalPutReport> {
  const probe = new Probe(store, options)
  let report: Omit<ConditionalPutReport, 'findings'>
  try {
    report = await probe.run(options.thorough === true)
  } finally {
    await probe.cleanUp()
  }
  return { ...report, findings: probe.findings }
}

interface Written {
  readonly etag: ETag
}

type Outcome = Written | 'refused' | 'unsupported'

function isWritten(outcome: Outcome): outcome is Written {
  return typeof outcome === 'object'
}

class Probe {
  readonly findings: string[] = []
  readonly #store: BlobStore
  readonly #signal: AbortSignal | undefined
  readonly #place = `.sqlstream/probe/${crypto.randomUUID()}`
  readonly #keys = new Set<string>()
  #bodies = 0

  constructor(store: BlobStore, options: AbortOptions) {
    this.#store = store
    this.#signal = options.signal
  }

  async run(thorough: boolean): Promise<Omit<ConditionalPutReport, 'findings'>> {
    const { held: createOnly, etag } = await this.#createOnly()
    const compareAndSet = await this.#compareAndSet(etag)
    const honoured = createOnly && compareAndSet
    if (!thorough || !honoured) return { createOnly, compareAndSet, races: 'not-tried', honoured }
    const races = await this.#races()
    return { createOnly, compareAndSet, races, honoured: races === 'one-winner' }
  }

  /** Removes everything that may have been written: also after an abort, and a put that failed may have happened. */
  async cleanUp(): Promise<void> {
    try {
      await withinTime(
        {
          limitMs: CLEAN_UP_MS,
          fields: { driver: this.#store.driver, operation: 'delete' },
        },
        (signal) => this.#store.delete([...this.#keys], { signal }),
      )
    } catch {
      this.#find(`what the probe wrote below ${this.#place} could not be removed`)
    }
  }

  async #createOnly(): Promise<{ held: boolean; etag: ETag | undefined }> {
    const absent: Precondition = { kind: 'absent' }
    const first = await this.#put('a', absent)
    if (!this.#wasWritten(first, "a put with 'absent' was refused where there was no object")) {
      return { held: false, etag: undefined }
    }
    const second = await this.#put('a', absent)
    const held = this.#wasRefused(second, "a put with 'absent' replaced an object")
    return { held, etag: isWritten(second) ? second.etag : first.etag }
  }

  /** `current`: the ETag of object `a`, if there is one. */
  async #compareAndSet(current: ETag | undefined): Promise<boolean> {
    const etag = current ?? (await this.#putPlainly('a'))
    const match: Precondition = { kind: 'match', etag }
    const right = await this.#put('a', match)
    // Without a newer version there is no stale one.
    if (!this.#wasWritten(right, "a put with 'match' was refused for the version that is there")) return false
    const stale = await this.#put('a', match)
    const missing = await this.#put('b', match)
    const held = [
      this.#wasRefused(stale, "a put with 'match' replaced another version than the one it named"),
      this.#wasRefused(missing, "a put with 'match' created an object"),
    ]
    return held.every(Boolean)
  }

  /** Each round has its own object: some services limit how often one object may change. */
  async #races(): Promise<ConditionalPutReport['races']> {
    let result: ConditionalPutReport['races'] = 'one-winner'
    for (let round = 0; round < ROUNDS && result === 'one-winner'; round++) {
      result = await this.#race(`create-${round}`, { kind: 'absent' })
      if (result !== 'one-winner') break
      const etag = await this.#putPlainly(`replace-${round}`)
      result = await this.#race(`replace-${round}`, { kind: 'match', etag })
    }
    return result
  }

  async #race(name: string, precondition: Precondition): Promise<ConditionalPutReport['races']> {
    const bodies = Array.from({ length: WRITERS }, () => this.#body())
    const outcomes = await Promise.allSettled(bodies.map((body) => this.#put(name, precondition, body)))
    const won = bodies.filter((_, i) => {
      const outcome = outcomes[i]!
      return outcome.status === 'fulfilled' && isWritten(outcome.value)
    })
    if (won.length === 0) {
      // A writer without an answer may be the one that won.
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    }
    const race = `of ${WRITERS} puts with '${precondition.kind}' at once`
    if (won.length === 0) {
      this.#find(`${race} none succeeded`)
      return 'no-winner'
    }
    if (won.length > 1) {
      this.#find(`${race} ${won.length} succeeded`)
      return 'several-winners'
    }
    const content = await this.#store.get(this.#key(name), { signal: this.#signal })
    if (await holdsBody(content, won[0]!)) return 'one-winner'
    this.#find(`${race} one succeeded, and the object is not what that one wrote`)
    return 'several-winners'
  }

  async #put(name: string, precondition: Precondition, body: Uint8Array = this.#body()): Promise<Outcome> {
    try {
      const options = { precondition, signal: this.#signal }
      return { etag: (await this.#store.put(this.#key(name), body, options)).etag }
    } catch (error) {
      this.#signal?.throwIfAborted()
      if (isStorageError(error, 'precondition-failed')) return 'refused'
      if (isStorageError(error, 'unsupported')) return 'unsupported'
      throw error
    }
  }

  async #putPlainly(name: string): Promise<ETag> {
    return (await this.#store.put(this.#key(name), this.#body(), { signal: this.#signal })).etag
  }

  #wasWritten(outcome: Outcome, finding: string): outcome is Written {
    if (!isWritten(outcome)) this.#find(outcome === 'refused' ? finding : UNSUPPORTED)
    return isWritten(outcome)
  }

  #wasRefused(outcome: Outcome, finding: string): boolean {
    if (outcome !== 'refused') this.#find(isWritten(outcome) ? finding : UNSUPPORTED)
    return outcome === 'refused'
  }

  #find(finding: string): void {
    if (!this.findings.includes(finding)) this.findings.push(finding)
  }

  #key(name: string): string {
    const key = `${this.#place}/${name}`
    this.#keys.add(key)
    return key
  }

  /** No two are equal: an ETag may be a hash of the bytes. */
  #body(): Uint8Array {
    this.#bodies += 1
    return encoder.encode(`${this.#place} ${this.#bodies}\n`)
  }
}
