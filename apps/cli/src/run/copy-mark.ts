import { type BigIntStats, statSync } from 'node:fs'

/** How a restored database lies on disk. */
export interface CopyMark {
  readonly database: string
  readonly file: Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs'>
}

/** Of a database that was restored just now. @param database absolute */
export function copyMark(database: string): CopyMark {
  return { database, file: statSync(database, { bigint: true }) }
}

/** Whether nobody has written to it since: the file is the same, and its WAL has no frame. */
export function isAsRestored({ database, file }: CopyMark): boolean {
  const now = statSync(database, { bigint: true, throwIfNoEntry: false })
  const wal = statSync(`${database}-wal`, { throwIfNoEntry: false })
  const isSame =
    now?.dev === file.dev && now.ino === file.ino && now.size === file.size && now.mtimeNs === file.mtimeNs
  return isSame && (wal?.size ?? 0) === 0
}
