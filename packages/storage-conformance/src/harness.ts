import type { AbortOptions, BlobStore, Capabilities } from '@sqlstream/storage'

/** How the suite gets at the store under test. */
export interface Harness {
  /** Opens the store under test. Two calls see the same objects. */
  open(): Promise<BlobStore>
  /** Opens a store whose bucket or folder does not exist, if that means anything here. */
  openMissing?(): Promise<BlobStore>
  /** Opens a store with credentials that the service refuses, if it has any. */
  openDenied?(): Promise<BlobStore>
  /** Opens a store on a service that does not answer: a closed port, a name that leads nowhere. */
  openUnreachable?(): Promise<BlobStore>
  /** Secrets that were used to open these stores: no error may show one. Default: none. */
  readonly secrets?: readonly string[]
  /**
   * How many objects the tests of large listings and deletes write. Default: 1,005, more than a page
   * of any service. Less makes a run over a network quicker and proves less.
   */
  readonly manyKeys?: number
  /**
   * Bytes of the large bodies, which should need more than two parts where the service takes such bodies in parts. Default:
   * 17 MiB and 5 bytes. About twenty of them are written.
   */
  readonly largeBytes?: number
  /** How long an aborted call may go on, in milliseconds. Default: 5,000. */
  readonly abortPatienceMs?: number
}

/** One test. Its name begins with the clauses of CONTRACT.md that it proves. */
export interface ConformanceTest {
  readonly name: string
  /** Skipped when the store does not declare this capability. */
  readonly requires?: keyof Capabilities
  /** Skipped when the store declares this capability. */
  readonly unless?: keyof Capabilities
  /** Skipped when the store has no such method: it is optional. */
  readonly offers?: 'copy'
  /** Skipped when the harness does not have this. */
  readonly needs?: 'openMissing' | 'openDenied' | 'openUnreachable'
  /**
   * Works under a random prefix and deletes only what it wrote. Rejects when the store breaks the
   * contract. Call `skipReason` first.
   */
  run(harness: Harness, options?: AbortOptions): Promise<void>
}

const NEEDS: Readonly<Record<NonNullable<ConformanceTest['needs']>, string>> = {
  openMissing: 'needs a bucket that does not exist: openMissing()',
  openDenied: 'needs credentials that are refused: openDenied()',
  openUnreachable: 'needs a service that does not answer: openUnreachable()',
}

/** Why a test does not apply to this store; undefined when it does. Only the store and the harness decide. */
export async function skipReason(test: ConformanceTest, harness: Harness): Promise<string | undefined> {
  if (test.needs !== undefined && harness[test.needs] === undefined) return NEEDS[test.needs]
  if (test.requires === undefined && test.unless === undefined && test.offers === undefined) return undefined
  await using store = await harness.open()
  const { capabilities } = store
  if (test.offers !== undefined && store[test.offers] === undefined) return `the store has no ${test.offers}`
  if (test.requires !== undefined && !capabilities[test.requires]) return `the store has no ${test.requires}`
  if (test.unless !== undefined && capabilities[test.unless]) return `the store has ${test.unless}`
  return undefined
}
