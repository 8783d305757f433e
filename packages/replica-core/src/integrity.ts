import { PrimaryError } from './errors.ts'
import { isBusy, openDatabase } from './sqlite/connection.ts'

/**
 * Runs `PRAGMA quick_check` or `integrity_check` on a database file that nobody has open.
 *
 * @returns what is wrong, one line each; empty when all is well
 */
export async function sqliteCheck(path: string, depth: 'quick' | 'full'): Promise<string[]> {
  const db = openDatabase(path, true)
  try {
    const rows = db.pragma(depth === 'quick' ? 'quick_check' : 'integrity_check') as Record<string, string>[]
    const lines = rows.map((row) => Object.values(row)[0] ?? '')
    return lines.length === 1 && lines[0] === 'ok' ? [] : lines
  } catch (error) {
    if (isBusy(error)) throw new PrimaryError('busy', `${path} is in use`, { cause: error })
    return [(error as Error).message]
  } finally {
    db.close()
  }
}
