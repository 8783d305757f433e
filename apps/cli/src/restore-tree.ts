import { join } from 'node:path'
import { type AbortOptions, type Layout, parseLTXKey } from '@sqlstream/replica'
import type { BlobStore } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'

/** A replica of a tree and the database that it becomes. */
export interface TreePlace {
  /** Below the URL, without a slash at its end; empty for a replica at the URL itself. */
  readonly replica: string
  /** Path of the database. */
  readonly database: string
}

/** Where every replica below a store's prefix lies, by one flat listing, in the order of their names. */
export async function findReplicas(
  store: BlobStore,
  layout: Layout,
  options: AbortOptions,
): Promise<string[]> {
  const found = new Set<string>()
  for await (const { key } of store.list({ signal: options.signal })) {
    const parts = key.split('/')
    const at = parts.length - (layout === 's3' ? 2 : 3)
    if (at < 0) continue
    const folder = parts.slice(0, at).join('/')
    if (found.has(folder)) continue
    if (parseLTXKey(layout, parts.slice(at).join('/')).kind !== 'foreign') found.add(folder)
  }
  return [...found].sort()
}

/**
 * The path of each replica's database: `<folder>/<path of the replica>.db`, or without that ending where the path has one of a database.
 *
 * @param name of a replica at the URL itself
 * @throws CLIError `usage` when a path would leave the folder, or two databases would have one
 */
export function placesOf(replicas: readonly string[], folder: string, name: string): TreePlace[] {
  const owners = new Map<string, string>()
  return replicas.map((replica) => {
    const path = withEnding(replica === '' ? name : replica)
    // Keys of a bucket are whatever somebody put there.
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..' || /[\\\0]/.test(part))) {
      throw new CLIError(
        'usage',
        `${JSON.stringify(replica)} is no path for a file`,
        'restore that replica by itself',
      )
    }
    const other = owners.get(path)
    if (other !== undefined) {
      throw new CLIError(
        'usage',
        `${other} and ${replica} would both be restored to ${path}`,
        'restore them one by one',
      )
    }
    owners.set(path, replica)
    return { replica, database: join(folder, path) }
  })
}

function withEnding(path: string): string {
  return /\.(?:db|db3|sqlite|sqlite3)$/i.test(path) ? path : `${path}.db`
}
