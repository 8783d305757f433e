import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** The calls by which a file sink changes a folder. */
const NAMES = [
  'openSync',
  'copyFileSync',
  'writeFileSync',
  'writeSync',
  'ftruncateSync',
  'fdatasync',
  'fsync',
  'closeSync',
  'rmSync',
  'linkSync',
  'renameSync',
] as const

/** Calls a function before each of these calls to the file system: number from 1, name. Returns what undoes it. */
export function beforeDiskSteps(step: (n: number, name: string) => void): () => void {
  let calls = 0
  const originals = Object.fromEntries(NAMES.map((name) => [name, fs[name]]))
  for (const name of NAMES) {
    const original = fs[name] as (...args: unknown[]) => unknown
    const counted = (...args: unknown[]): unknown => {
      step(++calls, name)
      return original(...args)
    }
    Object.assign(fs, { [name]: counted })
  }
  syncBuiltinESMExports()
  return () => {
    Object.assign(fs, originals)
    syncBuiltinESMExports()
  }
}
