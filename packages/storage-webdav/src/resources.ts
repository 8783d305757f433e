import { type AbortOptions, type BlobInfo, type ETag, isKey, isStorageError } from '@sqlstream/storage'
import type { HttpClient, Reply } from './http-client.ts'
import { PartialMultistatus, PROPFIND_BODY, parseMultistatus, type Resource } from './multistatus.ts'
import { retryCut } from './retry-cut.ts'
import type { ServerKind } from './server-kinds.ts'
import { type CallContext, failure, statusFailure } from './webdav-errors.ts'

/** A file or collection as callers see it. */
export interface FoundResource extends Resource {
  /** Last segment of the path. */
  readonly name: string
  readonly kind: 'file' | 'folder'
  /** When the server said so, by its clock, if it tells. */
  readonly seen: Date | undefined
}

/** Answers that say that it was done. */
export const DONE: ReadonlySet<number> = new Set([200, 201, 204])

/** The files and collections of a server below one folder, by path: a key, or '' for the folder itself. */
export class Resources {
  readonly http: HttpClient
  readonly kind: ServerKind
  /** Path of the folder as it is sent, without a slash at its end. */
  readonly #root: string

  constructor(http: HttpClient, root: string, kind: ServerKind) {
    this.http = http
    this.#root = root
    this.kind = kind
  }

  /** Path as it is sent. Keys need no escapes. */
  pathOf(key: string): string {
    const path = this.kind.hidesDots ? key.replaceAll(/(?<=^|\/)\./g, '~.') : key
    return path === '' ? `${this.#root}/` : `${this.#root}/${path}`
  }

  /** Undefined when nothing is there. */
  async find(
    context: CallContext,
    key: string,
    options: AbortOptions = {},
  ): Promise<FoundResource | undefined> {
    try {
      return (await this.#propfind(context, this.pathOf(key), '0', options))?.[0]
    } catch (error) {
      // Below a file nothing can be, and servers have many words for that.
      if (!isStorageError(error) || error.code === 'timeout' || !key.includes('/')) throw error
      const above = await this.find(context, key.slice(0, key.lastIndexOf('/')), options)
      if (above?.kind === 'folder') throw error
      return undefined
    }
  }

  /** What is directly in a collection; undefined when there is no such collection. `base` is '' or ends in a slash. */
  async readCollection(
    context: CallContext,
    base: string,
    options: AbortOptions = {},
  ): Promise<FoundResource[] | undefined> {
    const path = this.pathOf(base)
    const found = await this.#propfind(context, path, '1', options)
    if (found === undefined) return undefined
    const own = decodeURIComponent(path).replace(/\/+$/, '')
    const self = found.find((each) => each.path === own)
    if (self === undefined) {
      const hint = 'Is there a proxy in front of the server that changes paths?'
      throw failure(context, 'unknown', `the answer to PROPFIND does not hold ${own}`, { hint })
    }
    if (self.kind === 'file') return undefined
    const inside = found.filter((each) => each.path === `${own}/${each.name}`)
    return Promise.all(
      inside.map((each) => {
        const name = this.kind.hidesDots ? each.name.replace(/^~\./, '.') : each.name
        return this.#withETag(context, `${base}${name}`, { ...each, name }, options)
      }),
    )
  }

  /** The folder itself and those above it, as far as they do not exist. */
  async makeRoot(context: CallContext): Promise<void> {
    const missing: string[] = []
    let path = this.#root
    while (path !== '' && (await this.#propfind(context, `${path}/`, '0', {})) === undefined) {
      missing.unshift(path)
      path = path.slice(0, path.lastIndexOf('/'))
    }
    for (const each of missing) {
      const { status } = await this.#done(context, 'MKCOL', `${each}/`)
      // 405: somebody else was quicker.
      if (!DONE.has(status) && status !== 405) throw statusFailure(context, 'MKCOL', status)
    }
  }

  /** @throws StorageError 'invalid-key' when there is a file of this name; other failures of a server */
  async makeCollection(context: CallContext, key: string): Promise<void> {
    const { status } = await this.#done(context, 'MKCOL', `${this.pathOf(key).replace(/\/$/, '')}/`)
    if (DONE.has(status)) return
    // 405 says that there is something of this name.
    const found = await this.find(context, key)
    if (found?.kind === 'folder') return
    if (found !== undefined) {
      const hint = 'One key is a folder of another key; a folder cannot be both.'
      throw failure(context, 'invalid-key', `${key} is a file`, { hint })
    }
    throw statusFailure(context, 'MKCOL', status)
  }

  /** Of a file; a missing one is fine. */
  async remove(context: CallContext, key: string, options: AbortOptions = {}): Promise<void> {
    const { status } = await this.#done(context, 'DELETE', this.pathOf(key), options)
    if (!DONE.has(status) && status !== 404) throw statusFailure(context, 'DELETE', status)
  }

  /** @returns the status */
  async move(
    context: CallContext,
    from: string,
    to: string,
    options: AbortOptions & { readonly overwrite: boolean },
  ): Promise<number> {
    const headers = {
      destination: this.http.address(this.pathOf(to)),
      overwrite: options.overwrite ? 'T' : 'F',
    }
    return (await this.#done(context, 'MOVE', this.pathOf(from), { ...options, headers })).status
  }

  info(key: string, { size, etag, modified = new Date(0) }: Resource): BlobInfo {
    return { key, size, etag: this.etagOf(etag, modified, size), modified }
  }

  /** One ETag for an object, wherever it was told: weak ones lose their mark, which Apache takes off after a second. */
  etagOf(header: string | undefined, modified: Date, size: number): ETag {
    const seconds = modified.getTime() / 1000
    const time = `"${seconds.toString(16)}-${size.toString(16)}"`
    return (this.kind.etagIsTime ? time : (header?.replace(/^W\//, '') ?? time)) as ETag
  }

  async #propfind(
    context: CallContext,
    path: string,
    depth: '0' | '1',
    { signal }: AbortOptions,
  ): Promise<FoundResource[] | undefined> {
    return retryCut(
      async () => {
        const headers = { depth, 'content-type': 'application/xml; charset=utf-8' }
        const body = Buffer.from(PROPFIND_BODY)
        const reply = await this.http.request(context, 'PROPFIND', path, { headers, body, signal })
        const text = await this.http.text(context, reply, signal)
        if (reply.status === 404) return undefined
        if (reply.status !== 207) throw statusFailure(context, 'PROPFIND', reply.status)
        try {
          const seen = dateOf(reply.message.headers.date)
          return (await parseMultistatus(text)).map((each): FoundResource => {
            const name = each.path.slice(each.path.lastIndexOf('/') + 1)
            return { ...each, name, kind: each.isCollection ? 'folder' : 'file', seen }
          })
        } catch (cause) {
          if (cause instanceof PartialMultistatus)
            throw failure(context, 'unavailable', cause.message, { cause })
          throw failure(context, 'unknown', 'the answer to PROPFIND is not understood', { cause })
        }
      },
      { signal },
    )
  }

  /** Where listings have no ETags, the file is asked for its own, so that a listing says what `head` says. */
  async #withETag(
    context: CallContext,
    key: string,
    resource: FoundResource,
    options: AbortOptions,
  ): Promise<FoundResource> {
    const { kind, etag } = resource
    if (kind === 'folder' || etag !== undefined || this.kind.etagIsTime || !isKey(resource.name))
      return resource
    const { message } = await this.#done(context, 'HEAD', this.pathOf(key), options)
    return { ...resource, etag: message.headers.etag }
  }

  async #done(
    context: CallContext,
    method: string,
    path: string,
    options: AbortOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Reply> {
    const reply = await this.http.request(context, method, path, options)
    await this.http.drain(context, reply, options.signal)
    return reply
  }
}

export function dateOf(header: string | undefined): Date | undefined {
  const time = Date.parse(header ?? '')
  return Number.isNaN(time) ? undefined : new Date(time)
}
