import type { HttpPlace } from '@sqlstream/read-replica/web'
import type { Layout } from '@sqlstream/replica'
import { type AbortOptions, type BlobInfo, codeOfStatus, type ETag, StorageError } from '@sqlstream/storage'

/** What `sqlstream inspect` says of the replica that it offers. */
export interface Offer {
  /** For people, without credentials. */
  readonly source: string
  readonly layout: Layout
  readonly objects: readonly {
    readonly key: string
    readonly size: number
    readonly etag: string
    /** RFC 3339. */
    readonly modified: string
  }[]
}

/** Asks the server of `sqlstream inspect` for its list. */
export async function readOffer(base: URL, { signal }: AbortOptions = {}): Promise<Offer> {
  const response = await fetch(new URL('list', base), { cache: 'no-store', signal: signal ?? null })
  if (response.ok) return (await response.json()) as Offer
  const { error } = (await response.json().catch(() => ({}))) as {
    error?: { message?: string; hint?: string }
  }
  throw new StorageError(error?.message ?? `the answer of the server is ${response.status}`, {
    code: codeOfStatus(response.status),
    driver: 'inspect',
    operation: 'list',
    hint: error?.hint,
  })
}

/** The replica of `sqlstream inspect`, below the address of its interface. */
export function inspectServer(base: URL): HttpPlace {
  return {
    driver: 'inspect',
    urlOf: (key) => new URL(`object/${key}`, base).href,
    list: async (options) => (await readOffer(base, options)).objects.map(toInfo),
  }
}

function toInfo({ key, size, etag, modified }: Offer['objects'][number]): BlobInfo {
  return { key, size, etag: etag as ETag, modified: new Date(modified) }
}
