import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'

/** The absolute path without links; as it is where it cannot be followed. */
export function realPath(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    return absolute
  }
}
