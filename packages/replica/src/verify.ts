import {
  type ChainProof,
  type Checksum,
  formatChecksum,
  formatTXID,
  type Header,
  type TXID,
  toTXID,
} from '@sqlstream/ltx'
import type { BlobInfo } from '@sqlstream/storage'
import { badNameError, type Catalog, filesOf, headOf, type LTXFile, sortListing } from './catalog.ts'
import { findGaps, formatRange } from './gaps.ts'
import { inspectFiles } from './inspect-file.ts'
import { OWN_PREFIX } from './layout.ts'
import type { MakePool } from './pool.ts'
import { type AbortOptions, type Replica, signalOf } from './replica.ts'
import type { Progress } from './restore/page-sink.ts'

/** Something worth knowing about a replica. */
export interface Finding {
  /**
   * `gap`: transactions in no file. `overlap`: files of one level that repeat transactions. `corrupt`: a file is damaged.
   * `stray-object`: not one of ours. `chain-broken`: two files contradict each other about the database between them.
   * `unproven`: files without a chain proof, as Litestream writes them.
   */
  readonly kind: 'gap' | 'overlap' | 'corrupt' | 'stray-object' | 'chain-broken' | 'unproven'
  /** `error`: some state cannot be restored. `warning`: look at it. `info`: normal, good to know. */
  readonly severity: 'error' | 'warning' | 'info'
  readonly message: string
  readonly file?: LTXFile
}

/** Options of `verify`. */
export interface VerifyOptions extends AbortOptions {
  /**
   * `chain` (default) reads one listing and every header: proves that no transaction is missing. `bytes` reads every
   * file completely and compares all checksums.
   */
  readonly depth?: 'chain' | 'bytes'
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Threads for depth `bytes`, made and closed here, when there are 64 MB and more to read. Default: this thread alone. */
  readonly pool?: MakePool | undefined
}

/**
 * Looks for everything that would make a restore fail. Yields findings as they are found; none with severity `error`
 * means that every state that a file ends at, from the first snapshot on, can be restored. Throws the store's errors.
 */
export async function* verify(
  replica: Replica,
  options: VerifyOptions = {},
): AsyncGenerator<Finding, void, void> {
  const objects: BlobInfo[] = []
  for await (const object of replica.store.list(signalOf(options))) objects.push(object)
  const { catalog, badNames, foreign } = sortListing(replica.layout, objects)
  for (const { key } of badNames) {
    yield { kind: 'stray-object', severity: 'error', message: badNameError(key).message }
  }
  for (const { key } of foreign) {
    if (key.startsWith(OWN_PREFIX) || key.startsWith('generations/')) continue
    yield { kind: 'stray-object', severity: 'info', message: `${key} is not part of the replica` }
  }
  yield* structure(catalog)
  yield* contents(replica, catalog, options)
}

/** What the names and sizes tell. */
function* structure(catalog: Catalog): Generator<Finding, void, void> {
  if (headOf(catalog) === undefined) {
    yield { kind: 'gap', severity: 'error', message: 'the replica has no LTX file' }
    return
  }
  for (const gap of findGaps(catalog)) {
    yield { kind: 'gap', severity: 'error', message: `transactions ${formatRange(gap)} are in no file` }
  }
  for (const files of catalog.levels.values()) {
    let widest: LTXFile | undefined
    for (const file of files) {
      // Snapshots repeat one another by nature.
      const isRepeat =
        widest && file.minTXID <= widest.maxTXID && !(file.minTXID === 1n && widest.minTXID === 1n)
      if (isRepeat) {
        const message = `${file.key} repeats transactions of ${widest?.key}`
        yield { kind: 'overlap', severity: 'warning', message, file }
      }
      if (!widest || file.maxTXID > widest.maxTXID) widest = file
    }
  }
}

/** What the files tell. */
async function* contents(
  replica: Replica,
  catalog: Catalog,
  options: VerifyOptions,
): AsyncGenerator<Finding, void, void> {
  const files = filesOf(catalog).sort(byLastTXID)
  const chain = new Chain()
  const unproven: LTXFile[] = []
  for await (const { file, header, proof, finding } of inspectFiles(replica, files, options)) {
    if (finding) yield finding
    if (!header) continue
    if (!proof) unproven.push(file)
    yield* chain.add(file, header, proof)
  }
  const [first] = unproven
  if (first) {
    const message = `${unproven.length} of ${files.length} files carry no chain proof, the first is ${first.key}`
    yield { kind: 'unproven', severity: 'info', message }
  }
}

/** What is known of the database at one TXID, and by which file. */
interface State {
  readonly file: LTXFile
  readonly pageSize: number
  checksum?: Checksum
}

/** Compares what files say about the same TXID: the end of one is the beginning of the next. */
class Chain {
  readonly #states = new Map<TXID, State>();

  *add(file: LTXFile, header: Header, proof: ChainProof | undefined): Generator<Finding, void, void> {
    if (file.minTXID > 1n) {
      yield* this.#compare(toTXID(file.minTXID - 1n), file, header.pageSize, proof?.preApplyChecksum)
    }
    yield* this.#compare(file.maxTXID, file, header.pageSize, proof?.postApplyChecksum)
  }

  *#compare(
    txid: TXID,
    file: LTXFile,
    pageSize: number,
    checksum: Checksum | undefined,
  ): Generator<Finding, void, void> {
    const known = this.#states.get(txid)
    if (!known) {
      this.#states.set(txid, { file, pageSize, ...(checksum !== undefined && { checksum }) })
      return
    }
    const place = `at TXID ${formatTXID(txid)}`
    const by = known.file.key
    if (known.pageSize !== pageSize) {
      const message = `${file.key} has pages of ${pageSize} bytes ${place}, ${by} has ${known.pageSize}`
      yield { kind: 'chain-broken', severity: 'error', message, file }
    }
    if (checksum === undefined) return
    if (known.checksum === undefined) known.checksum = checksum
    else if (known.checksum !== checksum) {
      const sums = `${formatChecksum(checksum)}, ${by} has ${formatChecksum(known.checksum)}`
      const message = `${file.key} has database checksum ${sums}, ${place}`
      yield { kind: 'chain-broken', severity: 'error', message, file }
    }
  }
}

function byLastTXID(a: LTXFile, b: LTXFile): number {
  if (a.maxTXID !== b.maxTXID) return a.maxTXID < b.maxTXID ? -1 : 1
  return a.level - b.level
}
