import type { ChainProof, Header, TXID, TXIDRange } from '@sqlstream/ltx'
import { type Catalog, filesOf, findGaps, type LTXFile, restorableTXIDs } from '@sqlstream/replica'

/** What a look at a file gave. */
export type Seen<T> = { readonly value: T } | { readonly error: Error }

/** What is known of a replica's files. */
export interface Knowledge {
  readonly catalog: Catalog
  /** By key, as far as they were read. */
  readonly headers: ReadonlyMap<string, Seen<Header>>
  /** By key: files that were read to their last byte. */
  readonly checked: ReadonlyMap<string, Seen<true>>
}

/** Something that is not as it should be. */
export interface Trouble {
  readonly kind: 'gap' | 'broken' | 'damaged'
  readonly message: string
  readonly file?: LTXFile
}

/** How a file hangs together with what lies before it. */
export type Link =
  /** Its header has not been read. */
  | 'unread'
  /** It holds the whole database, and says what that is. */
  | 'start'
  /** It says what it was applied to, and a file before it says the same. */
  | 'proven'
  /** It says what it was applied to, but no file ends there. */
  | 'loose'
  /** It says nothing, as files of Litestream. */
  | 'unproven'
  /** It contradicts another file, or is damaged. */
  | 'broken'

/** What can be restored, and how sure that is. */
export interface ChainStatus {
  /** `reading`: headers are missing. `proven`: every file says what it was applied to and results in, and all of that fits. */
  readonly verdict: 'empty' | 'reading' | 'proven' | 'unproven' | 'trouble'
  /** Ascending. */
  readonly restorable: readonly TXID[]
  readonly gaps: readonly TXIDRange[]
  readonly troubles: readonly Trouble[]
  /** By key. */
  readonly links: ReadonlyMap<string, Link>
  /** Files that were read to their last byte, and are whole. */
  readonly checked: number
}

/** Compares what files say about the same state: the end of one is the beginning of the next. */
export function chainStatus({ catalog, headers, checked }: Knowledge): ChainStatus {
  const files = filesOf(catalog)
  const gaps = findGaps(catalog)
  const troubles: Trouble[] = gaps.map((range) => ({
    kind: 'gap',
    message: `Transactions ${said(range)} are in no file.`,
  }))
  const states = new Map<TXID, Map<bigint, LTXFile>>()
  const links = new Map<string, Link>()
  let whole = 0
  for (const file of files) {
    const error = failureIn(headers.get(file.key)) ?? failureIn(checked.get(file.key))
    if (error) troubles.push({ kind: 'damaged', message: error.message, file })
    if (foundIn(checked.get(file.key))) whole++
    const proof = proofOf(headers.get(file.key))
    if (proof) {
      claim(states, file.maxTXID, proof.postApplyChecksum, file)
      if (file.minTXID !== 1n) claim(states, before(file), proof.preApplyChecksum, file)
    }
  }
  const broken = new Set<string>()
  for (const [txid, claims] of states) {
    if (claims.size < 2) continue
    const keys = [...claims.values()].map(({ key }) => key)
    for (const key of keys) broken.add(key)
    troubles.push({
      kind: 'broken',
      message: `Files contradict each other about the state after transaction ${txid}: ${keys.join(', ')}.`,
      ...(claims.values().next().value && { file: claims.values().next().value as LTXFile }),
    })
  }
  const ends = new Set(files.map(({ maxTXID }) => maxTXID))
  for (const file of files) {
    const isBad = broken.has(file.key) || failureIn(headers.get(file.key)) || failureIn(checked.get(file.key))
    links.set(file.key, isBad ? 'broken' : linkOf(file, headers.get(file.key), ends))
  }
  return {
    verdict: verdictOf(files, troubles, links),
    restorable: restorableTXIDs(catalog),
    gaps,
    troubles,
    links,
    checked: whole,
  }
}

function verdictOf(
  files: readonly LTXFile[],
  troubles: readonly Trouble[],
  links: ReadonlyMap<string, Link>,
): ChainStatus['verdict'] {
  if (files.length === 0) return 'empty'
  if (troubles.length > 0) return 'trouble'
  const all = new Set(links.values())
  if (all.has('unread')) return 'reading'
  return all.has('unproven') || all.has('loose') ? 'unproven' : 'proven'
}

function linkOf(file: LTXFile, header: Seen<Header> | undefined, ends: ReadonlySet<TXID>): Link {
  if (!header) return 'unread'
  if (!proofOf(header)) return 'unproven'
  if (file.minTXID === 1n) return 'start'
  return ends.has(before(file)) ? 'proven' : 'loose'
}

function claim(states: Map<TXID, Map<bigint, LTXFile>>, txid: TXID, checksum: bigint, file: LTXFile): void {
  const claims = states.get(txid) ?? new Map<bigint, LTXFile>()
  states.set(txid, claims)
  if (!claims.has(checksum)) claims.set(checksum, file)
}

function proofOf(header: Seen<Header> | undefined): ChainProof | undefined {
  return foundIn(header)?.proof
}

function before({ minTXID }: LTXFile): TXID {
  return (minTXID - 1n) as TXID
}

function foundIn<T>(seen: Seen<T> | undefined): T | undefined {
  return seen && 'value' in seen ? seen.value : undefined
}

function failureIn<T>(seen: Seen<T> | undefined): Error | undefined {
  return seen && 'error' in seen ? seen.error : undefined
}

function said({ minTXID, maxTXID }: TXIDRange): string {
  return minTXID === maxTXID ? String(minTXID) : `${minTXID} to ${maxTXID}`
}
