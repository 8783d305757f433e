/**
 * Whether a SQLite library is free of the WAL-reset bug (https://sqlite.org/wal.html#walresetbug): a
 * checkpoint that begins while another connection restarts the WAL stores a stale backfill mark, and
 * later commits are never copied into the database file.
 *
 * Affected are 3.7.0 to 3.51.2, except the branches that got the fix: 3.50.7 and later of 3.50, 3.44.6
 * and later of 3.44. Versions before 3.7.0 have no WAL.
 *
 * @param versionNumber as `sqlite3_libversion_number()` gives it, such as 3051003 for 3.51.3
 */
export function isWALResetBugFixed(versionNumber: number): boolean {
  if (versionNumber < 3007000 || versionNumber >= 3051003) return true
  const minor = Math.floor(versionNumber / 1000) % 1000
  const patch = versionNumber % 1000
  return (minor === 50 && patch >= 7) || (minor === 44 && patch >= 6)
}
