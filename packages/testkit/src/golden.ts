import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, utimesSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One transaction of a golden replica and the state it led to. */
export interface GoldenTransaction {
  /** 16 hex digits. */
  readonly txid: string
  readonly label: string
  readonly sql: string
  readonly timestampMs: number
  readonly pageSize: number
  readonly commit: number
  /** Path of the expected `.dump`, relative to the folder of all sets. */
  readonly dump: string
  /** Of the database rebuilt from the pages up to here, holes as zero pages. */
  readonly imageSha256: string
  readonly holes: number
  readonly integrityOk: boolean
}

/** One file of a golden replica. `path` is relative to the replica. */
export interface GoldenFile {
  readonly path: string
  readonly size: number
  readonly mtimeMs: number
  readonly sha256: string
}

/** A replica made by Litestream 0.5.17, with what it must restore to. */
export interface GoldenSet {
  readonly folder: string
  readonly transactions: readonly GoldenTransaction[]
  readonly files: readonly GoldenFile[]
  /** The expected `.dump` after a transaction. */
  dump(transaction: GoldenTransaction): string
  /** Copies the replica and gives the copies their times, which the peer goes by. */
  copyReplica(to: string): void
}

/** Name of a set of Litestream 0.5.17. */
export type GoldenName = 'l0-plain' | 'l0-shrink' | 'levels'

/**
 * The folder with golden data: environment variable SQLSTREAM_SHARED, else `shared` beside the repository.
 * A reason when there is none.
 *
 * @throws Error in CI, where these tests must run
 */
export function goldenFolderOrReason(): { readonly folder: string } | { readonly reason: string } {
  const repository = fileURLToPath(new URL('../../../', import.meta.url))
  const shared = process.env['SQLSTREAM_SHARED'] ?? resolve(repository, '../shared')
  const folder = join(shared, 'golden')
  if (existsSync(folder)) return { folder }
  const reason = `no golden data at ${folder}; set SQLSTREAM_SHARED to the folder that holds golden/`
  if (process.env['CI']) throw new Error(reason)
  return { reason }
}

/** One state of the golden backup of Litestream 0.3. */
export interface GoldenStep {
  /** From 1 on. */
  readonly step: number
  readonly label: string
  /** A time at which this state is the newest one. */
  readonly safeTimestampMs: number
}

/** A replica made by Litestream 0.3.13, with what it must restore to. */
export interface GoldenGenerations {
  readonly steps: readonly GoldenStep[]
  readonly files: readonly GoldenFile[]
  /** The expected `.dump` after a step. */
  dump(step: GoldenStep): string
  /** The bytes of a file. */
  read(file: GoldenFile): Uint8Array
  /** Copies the replica and gives the copies their times, which are all that tells the time of a state. */
  copyReplica(to: string): void
}

/** Loads the backup of Litestream 0.3 from a folder that {@link goldenFolderOrReason} found. */
export function loadGoldenGenerations(folder: string): GoldenGenerations {
  const set = join(folder, 'v0.3')
  const manifest = JSON.parse(readFileSync(join(set, 'manifest.json'), 'utf8')) as {
    readonly steps: readonly GoldenStep[]
    readonly files: readonly GoldenFile[]
  }
  return {
    ...manifest,
    dump: ({ step }) => readFileSync(join(set, 'expected', `${String(step).padStart(2, '0')}.sql`), 'utf8'),
    read: ({ path }) => readFileSync(join(set, 'replica', path)),
    copyReplica: (to) => copyFiles(join(set, 'replica'), manifest.files, to),
  }
}

/** Loads a set from a folder that {@link goldenFolderOrReason} found. */
export function loadGolden(folder: string, name: GoldenName): GoldenSet {
  const sets = join(folder, 'litestream-0.5.17')
  const set = join(sets, name)
  const manifest = JSON.parse(readFileSync(join(set, 'manifest.json'), 'utf8')) as {
    readonly transactions: readonly GoldenTransaction[]
    readonly files: readonly GoldenFile[]
  }
  return {
    folder: set,
    transactions: manifest.transactions,
    files: manifest.files,
    dump: (transaction) => readFileSync(join(sets, transaction.dump), 'utf8'),
    copyReplica: (to) => copyFiles(join(set, 'replica'), manifest.files, to),
  }
}

function copyFiles(from: string, files: readonly GoldenFile[], to: string): void {
  for (const { path, mtimeMs } of files) {
    const copy = join(to, path)
    mkdirSync(dirname(copy), { recursive: true })
    copyFileSync(join(from, path), copy)
    chmodSync(copy, 0o644)
    utimesSync(copy, mtimeMs / 1000, mtimeMs / 1000)
  }
}
