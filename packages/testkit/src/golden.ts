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
    copyReplica: (to) => {
      for (const { path, mtimeMs } of manifest.files) {
        const copy = join(to, path)
        mkdirSync(dirname(copy), { recursive: true })
        copyFileSync(join(set, 'replica', path), copy)
        chmodSync(copy, 0o644)
        utimesSync(copy, mtimeMs / 1000, mtimeMs / 1000)
      }
    },
  }
}
