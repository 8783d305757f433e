import { readFileSync, writeFileSync } from 'node:fs'
import { replaceFile } from './replace-file.ts'
import type { StateFolder } from './state-folder.ts'

/** Which replica this database belongs to, as it is noted beside it. */
export interface OwnIdentity {
  readonly databaseId: string
  /** Of the lease under which it was replicated from here last; undefined after a restore, or without leases. */
  readonly epoch?: bigint | undefined
}

/** Undefined when the database was never replicated from here. @throws the system's error, SyntaxError */
export function readOwnIdentity(folder: StateFolder): OwnIdentity | undefined {
  let text: string
  try {
    text = readFileSync(folder.identity, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const { databaseId, epoch } = JSON.parse(text) as { databaseId: string; epoch?: string }
  return { databaseId, ...(epoch !== undefined && { epoch: BigInt(epoch) }) }
}

/** The same where nothing depends on it: undefined also when it cannot be read. */
export function tryReadOwnIdentity(folder: StateFolder): OwnIdentity | undefined {
  try {
    return readOwnIdentity(folder)
  } catch {
    return undefined
  }
}

/** Notes it durably. @throws the system's error */
export function writeOwnIdentity(folder: StateFolder, { databaseId, epoch }: OwnIdentity): void {
  const content = { databaseId, ...(epoch !== undefined && { epoch: String(epoch) }) }
  replaceFile(folder.identity, (fd) => writeFileSync(fd, `${JSON.stringify(content)}\n`))
}
