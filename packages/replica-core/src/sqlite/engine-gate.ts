import { isWALResetBugFixed } from '@sqlstream/wal'
import Database from 'better-sqlite3'
import { PrimaryError } from '../errors.ts'

/** `3.53.2` as SQLite's version number, 3053002. */
export function versionNumber(text: string): number {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number)
  return major * 1_000_000 + minor * 1000 + patch
}

/** `3053002` as text, 3.53.2. */
export function versionText(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1000) % 1000}.${version % 1000}`
}

/**
 * Refuses to checkpoint with an SQLite that has the WAL-reset bug (sqlite.org/wal.html#walresetbug):
 * a checkpointer in another process than the writer is what triggers it.
 *
 * @throws PrimaryError `unsafe-sqlite`
 */
export function assertSafeEngine(version: string = engineVersion()): void {
  if (isWALResetBugFixed(versionNumber(version))) return
  throw new PrimaryError('unsafe-sqlite', `SQLite ${version} can lose committed rows when it checkpoints`, {
    hint: 'Use better-sqlite3 12.8.0 or newer (SQLite 3.51.3).',
  })
}

/** The SQLite that this process uses. */
export function engineVersion(): string {
  const db = new Database(':memory:')
  try {
    return db.prepare('SELECT sqlite_version()').pluck().get() as string
  } finally {
    db.close()
  }
}
