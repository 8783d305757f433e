import { HEADER_SIZE, TRAILER_SIZE, type TXID, type TXIDRange } from '@sqlstream/ltx'
import type { BlobInfo } from '@sqlstream/storage'
import { ReplicaError } from './errors.ts'
import { type Layout, parseLTXKey } from './layout.ts'

/** 0 is raw captures, 1 to 8 are merges, 9 holds snapshots. */
export type Level = number

/** The level of snapshots, as Litestream numbers it. */
export const SNAPSHOT_LEVEL = 9

/** One LTX file in a store, as a listing shows it. */
export interface LTXFile extends TXIDRange {
  /** Key below the replica's prefix. */
  readonly key: string
  readonly level: Level
  /** Bytes, as listed. */
  readonly size: number
  /** When the store received it, by the store's clock. */
  readonly modified: Date
  /** Time in the LTX header: present once the header has been read, or when this process wrote the file. */
  readonly timestamp?: Date
}

/** What exists, per level in TXID order. Plain data: the input of every planner. */
export interface Catalog {
  readonly levels: ReadonlyMap<Level, readonly LTXFile[]>
}

/** What a listing contains: the files, the names that should parse and do not, and everything else. */
export interface Sorted {
  readonly catalog: Catalog
  /** Objects whose name ends in `.ltx`, in a folder of LTX files, that is no LTX name. */
  readonly badNames: readonly BlobInfo[]
  /** Objects that are none of ours. */
  readonly foreign: readonly BlobInfo[]
}

/** The catalog of files in any order; levels and their files come out sorted. */
export function createCatalog(files: Iterable<LTXFile>): Catalog {
  const levels = new Map<Level, LTXFile[]>()
  for (const file of files) {
    const list = levels.get(file.level)
    if (list) list.push(file)
    else levels.set(file.level, [file])
  }
  for (const list of levels.values()) list.sort(compareFiles)
  return { levels: new Map([...levels].sort(([a], [b]) => a - b)) }
}

/** Sorts one flat listing into files, bad names and foreign objects. Never throws for a name. */
export function sortListing(layout: Layout, objects: Iterable<BlobInfo>): Sorted {
  const files: LTXFile[] = []
  const badNames: BlobInfo[] = []
  const foreign: BlobInfo[] = []
  for (const object of objects) {
    const parsed = parseLTXKey(layout, object.key)
    if (parsed.kind === 'ltx') {
      files.push({
        key: object.key,
        level: parsed.level,
        minTXID: parsed.minTXID,
        maxTXID: parsed.maxTXID,
        size: object.size,
        modified: object.modified,
      })
    } else if (parsed.kind === 'bad-name') badNames.push(object)
    else foreign.push(object)
  }
  return { catalog: createCatalog(files), badNames, foreign }
}

/** The error for a name that should be an LTX file's: to skip it could hide a part of the history (T49). */
export function badNameError(key: string): ReplicaError {
  return new ReplicaError(
    'bad-name',
    `${key} lies where LTX files are, but its name is not <min>-<max>.ltx`,
    {
      hint: 'Another tool or version wrote it, or it was renamed: find out which before restoring, then move it away.',
    },
  )
}

/** A catalog with some files more. */
export function withFiles(catalog: Catalog, files: readonly LTXFile[]): Catalog {
  return createCatalog([...filesOf(catalog), ...files])
}

/** All files, lowest level first, each level in TXID order. */
export function filesOf(catalog: Catalog): LTXFile[] {
  const all: LTXFile[] = []
  for (const files of catalog.levels.values()) for (const file of files) all.push(file)
  return all
}

/** The highest TXID in any level, connected or not; undefined when there is no file. */
export function headOf(catalog: Catalog): TXID | undefined {
  let head: TXID | undefined
  for (const files of catalog.levels.values()) {
    for (const file of files) if (head === undefined || file.maxTXID > head) head = file.maxTXID
  }
  return head
}

/** The time that is known of a file, ms: its header's where it was read, else when the store received it, by the store's clock. */
export function fileTime(file: LTXFile): number {
  return (file.timestamp ?? file.modified).getTime()
}

/** False for an object that is too short to hold a header and a trailer: the rest of an upload that died. */
export function isLongEnough(file: LTXFile): boolean {
  return file.size >= HEADER_SIZE + TRAILER_SIZE
}

/** Order inside a level: by first, then by last TXID. */
function compareFiles(a: LTXFile, b: LTXFile): number {
  if (a.minTXID !== b.minTXID) return a.minTXID < b.minTXID ? -1 : 1
  if (a.maxTXID !== b.maxTXID) return a.maxTXID < b.maxTXID ? -1 : 1
  return 0
}
