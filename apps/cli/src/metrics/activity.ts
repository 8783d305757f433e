import type { PrimaryEvent } from '@sqlstream/replica-core'
import type { StorageOperation } from '@sqlstream/storage'
import { describeFailure } from '../failure.ts'
import { Counter, Histogram } from './counter.ts'
import type { Family } from './exposition.ts'
import { type HoldSummary, HoldTimes } from './hold-times.ts'

/** Up to the 50 ms that a checkpoint may keep writers out by default, and what a slow machine makes of them. */
const LOCK_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25]
const REQUEST_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What all databases of a process have done since its start, counted. */
export class Activity {
  readonly #captures = new Counter()
  readonly #capturedBytes = new Counter()
  readonly #uploads = new Counter()
  readonly #uploadedBytes = new Counter()
  readonly #removed = new Counter()
  readonly #givenUp = new Counter()
  readonly #givenUpBytes = new Counter()
  readonly #checkpoints = new Counter()
  readonly #verifications = new Counter()
  readonly #errors = new Counter()
  readonly #requests = new Counter()
  readonly #requestErrors = new Counter()
  readonly #requestBytes = new Counter()
  readonly #requestTimes = new Map<string, Histogram>()
  readonly #lockTimes = new Histogram(LOCK_BOUNDS)
  readonly #holdTimes = new HoldTimes()

  constructor() {
    // What has not happened yet is 0, so that its first time shows as an increase.
    for (const counter of [this.#captures, this.#capturedBytes, this.#removed, this.#givenUpBytes])
      counter.add({}, 0)
    for (const reason of ['bound', 'reserve']) this.#givenUp.add({ reason }, 0)
    for (const kind of ['capture', 'snapshot', 'merge']) {
      this.#uploads.add({ kind }, 0)
      this.#uploadedBytes.add({ kind }, 0)
    }
    for (const outcome of ['proven', 'failed', 'skipped']) this.#verifications.add({ outcome }, 0)
  }

  /** A database could not be opened. */
  readonly openFailed = (error: unknown): void => this.#error('open', error)

  /** Writers of a database were kept out for so long. */
  readonly writeLock = (milliseconds: number): void => {
    this.#lockTimes.observe(milliseconds / 1000)
    this.#holdTimes.observe(milliseconds)
  }

  /** How long writers were kept out, since the start. */
  get writeLocks(): HoldSummary {
    return this.#holdTimes.summary
  }

  readonly event = (event: PrimaryEvent): void => {
    switch (event.type) {
      case 'captured':
        this.#captures.add({})
        this.#capturedBytes.add({}, event.bytes)
        break
      case 'uploaded':
        this.#upload('capture', event.bytes)
        break
      case 'snapshotted':
        this.#upload('snapshot', event.bytes)
        break
      case 'compacted':
        this.#upload('merge', event.bytes)
        break
      case 'retained':
        this.#removed.add({}, event.removed)
        break
      case 'given-up':
        this.#givenUp.add({ reason: event.reason })
        this.#givenUpBytes.add({}, event.bytes)
        break
      case 'checkpointed':
        this.#checkpoints.add({ mode: event.mode })
        break
      case 'verified':
        this.#verifications.add({ outcome: 'proven' })
        break
      case 'verification-skipped':
        this.#verifications.add({ outcome: 'skipped' })
        break
      case 'failed':
        if (event.operation === 'verification') this.#verifications.add({ outcome: 'failed' })
        this.#error(event.operation, event.error)
        break
      default:
        break
    }
  }

  readonly operation = ({ operation, bytes, milliseconds, error }: StorageOperation): void => {
    this.#requests.add({ operation })
    this.#requestBytes.add({ operation }, bytes)
    if (error !== undefined) this.#requestErrors.add({ operation, code: codeOf(error) })
    let times = this.#requestTimes.get(operation)
    if (times === undefined) {
      times = new Histogram(REQUEST_BOUNDS)
      this.#requestTimes.set(operation, times)
    }
    times.observe(milliseconds / 1000)
  }

  families(): Family[] {
    const times = [...this.#requestTimes].flatMap(([operation, each]) => each.samples({ operation }))
    return [
      counter('captures_total', 'Files of commits that were captured.', this.#captures),
      counter('captured_bytes_total', 'Bytes of those files.', this.#capturedBytes),
      counter('uploads_total', 'Files that were put into replicas, by what they are.', this.#uploads),
      counter('uploaded_bytes_total', 'Bytes of those files.', this.#uploadedBytes),
      counter('removed_files_total', 'Files that no promised state needed, removed.', this.#removed),
      counter('given_up_total', 'How often captures were given up for want of disk space.', this.#givenUp),
      counter('given_up_bytes_total', 'Bytes of captured files that were given up.', this.#givenUpBytes),
      counter('checkpoints_total', 'Checkpoints of databases, by mode.', this.#checkpoints),
      counter('verifications_total', 'Proofs that a state can be restored.', this.#verifications),
      counter('errors_total', 'What failed; most of it is tried again.', this.#errors),
      counter('storage_requests_total', 'Calls of stores, by operation.', this.#requests),
      counter('storage_request_errors_total', 'Calls of stores that failed.', this.#requestErrors),
      counter('storage_bytes_total', 'Bytes read (get) and written (put).', this.#requestBytes),
      {
        name: 'sqlstream_storage_request_duration_seconds',
        type: 'histogram',
        help: 'Time of a call of a store, to the end of its body.',
        samples: times,
      },
      {
        name: 'sqlstream_write_lock_hold_seconds',
        type: 'histogram',
        help: 'How long writers of a database were kept out, each time that its write lock was taken.',
        samples: this.#lockTimes.samples(),
      },
      {
        name: 'sqlstream_write_lock_hold_max_seconds',
        type: 'gauge',
        help: 'The longest of them.',
        samples: [{ value: this.#holdTimes.summary.maxMs / 1000 }],
      },
    ]
  }

  #upload(kind: string, bytes: number): void {
    this.#uploads.add({ kind })
    this.#uploadedBytes.add({ kind }, bytes)
  }

  #error(operation: string, error: unknown): void {
    this.#errors.add({ operation, code: codeOf(error) })
  }
}

function counter(name: string, help: string, values: Counter): Family {
  return { name: `sqlstream_${name}`, type: 'counter', help, samples: values.samples() }
}

function codeOf(error: unknown): string {
  return describeFailure(error).code
}
