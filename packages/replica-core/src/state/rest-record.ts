import { existsSync, readFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { crc64, formatTXID, type Pos, parseTXID } from '@sqlstream/ltx'
import {
  type Catalog,
  createCatalog,
  type Doomed,
  filesOf,
  type Layout,
  type LTXFile,
  ltxKey,
} from '@sqlstream/replica'
import type { FailpointHook } from '../failpoint.ts'
import type { FileSignature } from '../sqlite/file-signature.ts'
import type { WALEnd } from '../sqlite/wal-end.ts'
import { replaceFileLater, syncFolderLater } from './replace-file.ts'
import type { StateFolder } from './state-folder.ts'

const VERSION = 1

/** What maintenance knew of the replica when a database was let go. Times are ms since 1970. */
export interface KnownReplica {
  readonly catalog: Catalog
  /** What retention has marked; undefined when it was never read. */
  readonly doomed: Doomed | undefined
  /** When merges or retention are looked at next; undefined when nothing is to be done before something new comes. */
  readonly dueAt: number | undefined
  /** When something may have become too old. */
  readonly retainAt: number | undefined
  /** When the newest state is to be proven; `never` when it was, undefined where nobody asked for proofs. */
  readonly verifyAt: number | 'never' | undefined
}

/** One version of a lease object. */
export interface LeaseVersion {
  readonly holder: string
  readonly renewal: number
}

/** How a database was left: enough to take it up again in another process without asking the replica. */
export interface RestRecord {
  /** Which replica, as `PrimaryOptions.replicaName` says. */
  readonly replica: string
  readonly databaseId: string
  /** Of the machine's present run: after another start the times of files prove nothing. */
  readonly boot: string
  /** When the signatures were taken, ms since 1970. */
  readonly at: number
  /** Everything up to here is in the replica, and copied into the database file. */
  readonly pos: Pos
  readonly signature: FileSignature
  /** Of the WAL. */
  readonly wal: FileSignature
  /** Up to where the WAL was known, with nothing behind. */
  readonly walEnd: WALEnd
  /** Undefined where none is taken: somebody else may have written then. */
  readonly lease: LeaseVersion | undefined
  /** Undefined where others see to it. */
  readonly known: KnownReplica | undefined
}

/** This run of the machine; undefined where the system does not tell. */
export function bootId(): string | undefined {
  boot ??= readBootId()
  return boot === '' ? undefined : boot
}

let boot: string | undefined

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** Replaces the record in one step (temp, fsync, rename, fsync of the folder). @throws the system's error */
export async function writeRestRecord(
  folder: StateFolder,
  record: RestRecord,
  failpoint?: FailpointHook,
): Promise<void> {
  await replaceFileLater(folder.rest, encodeRestRecord(record), () => failpoint?.('rest:before-rename'))
  failpoint?.('rest:after-rename')
}

/** Makes sure that no record is there, whatever happens to the machine afterwards. @throws the system's error */
export async function removeRestRecord(folder: StateFolder, failpoint?: FailpointHook): Promise<void> {
  if (!existsSync(folder.rest)) return
  failpoint?.('rest:before-remove')
  await rm(folder.rest, { force: true })
  await syncFolderLater(folder.path)
  failpoint?.('rest:after-remove')
}

/** The record; undefined when there is none, or one that cannot be read: that is as if there were none. */
export async function readRestRecord(folder: StateFolder, layout: Layout): Promise<RestRecord | undefined> {
  try {
    return decodeRestRecord(await readFile(folder.rest, 'utf8'), layout)
  } catch {
    return undefined
  }
}

type Signature = readonly [dev: string, ino: string, size: string, mtimeNs: string, ctimeNs: string]
type File = readonly [level: number, min: string, max: string, size: number, modified: number, time?: number]

interface Content {
  readonly version: number
  readonly replica: string
  readonly databaseId: string
  readonly boot: string
  readonly at: number
  readonly txid: string
  readonly checksum: string
  readonly signature: Signature
  readonly wal: Signature
  readonly walEnd: WALEnd
  readonly lease?: LeaseVersion | undefined
  readonly known?:
    | (Omit<KnownReplica, 'catalog' | 'doomed'> & {
        readonly files: readonly File[]
        readonly doomed?: readonly (readonly [key: string, since: number])[] | undefined
      })
    | undefined
}

/** A line of JSON, and one with its CRC-64. */
export function encodeRestRecord({ pos, signature, wal, known, ...rest }: RestRecord): string {
  const content: Content = {
    version: VERSION,
    ...rest,
    txid: formatTXID(pos.txid),
    checksum: String(pos.postApplyChecksum),
    signature: encodeSignature(signature),
    wal: encodeSignature(wal),
    known: known && encodeKnown(known),
  }
  const line = JSON.stringify(content)
  return `${line}\n${crcOf(line)}\n`
}

/** @throws when it is not whole, or of another version */
export function decodeRestRecord(text: string, layout: Layout): RestRecord | undefined {
  const [line = '', crc] = text.split('\n')
  if (crc !== crcOf(line)) return undefined
  const { version, txid, checksum, signature, wal, known, ...rest } = JSON.parse(line) as Content
  if (version !== VERSION) return undefined
  return {
    ...rest,
    lease: rest.lease,
    pos: { txid: parseTXID(txid), postApplyChecksum: BigInt(checksum) as Pos['postApplyChecksum'] },
    signature: decodeSignature(signature),
    wal: decodeSignature(wal),
    known: known && decodeKnown(known, layout),
  }
}

function encodeKnown({ catalog, doomed, ...times }: KnownReplica): NonNullable<Content['known']> {
  return {
    ...times,
    files: filesOf(catalog).map(encodeFile),
    doomed: doomed && [...doomed].map(([key, since]) => [key, since.getTime()]),
  }
}

function decodeKnown(known: NonNullable<Content['known']>, layout: Layout): KnownReplica {
  const { files, doomed, dueAt, retainAt, verifyAt } = known
  return {
    catalog: createCatalog(files.map((file) => decodeFile(file, layout))),
    doomed: doomed && new Map(doomed.map(([key, since]) => [key, new Date(since)])),
    dueAt,
    retainAt,
    verifyAt,
  }
}

function encodeSignature({ dev, ino, size, mtimeNs, ctimeNs }: FileSignature): Signature {
  return [String(dev), String(ino), String(size), String(mtimeNs), String(ctimeNs)]
}

function decodeSignature([dev, ino, size, mtimeNs, ctimeNs]: Signature): FileSignature {
  return {
    dev: BigInt(dev),
    ino: BigInt(ino),
    size: Number(size),
    mtimeNs: BigInt(mtimeNs),
    ctimeNs: BigInt(ctimeNs),
  }
}

function encodeFile({ level, minTXID, maxTXID, size, modified, timestamp }: LTXFile): File {
  const file = [level, formatTXID(minTXID), formatTXID(maxTXID), size, modified.getTime()] as const
  return timestamp === undefined ? file : [...file, timestamp.getTime()]
}

function decodeFile([level, min, max, size, modified, time]: File, layout: Layout): LTXFile {
  const range = { minTXID: parseTXID(min), maxTXID: parseTXID(max) }
  return {
    key: ltxKey(layout, level, range),
    level,
    ...range,
    size,
    modified: new Date(modified),
    ...(time !== undefined && { timestamp: new Date(time) }),
  }
}

function crcOf(line: string): string {
  return crc64(new TextEncoder().encode(line)).toString(16).padStart(16, '0')
}
