import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Every write to a file fails meanwhile, as on a full disk. */
export async function withoutRoom(work: () => Promise<void>): Promise<void> {
  const original = fs.writeSync
  const full = (): never => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }
  Object.assign(fs, { writeSync: full })
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(fs, { writeSync: original })
    syncBuiltinESMExports()
  }
}
