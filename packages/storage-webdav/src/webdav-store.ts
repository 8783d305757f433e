import {
  type AbortOptions,
  abortable,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  checkKey,
  checkListKeys,
  checkRange,
  discardBody,
  type GetOptions,
  isKey,
  type ListOptions,
  type PutOptions,
  probeConditionalPut,
  putDecisively,
  walkFolders,
  withPathLock,
} from '@sqlstream/storage'
import { Collections, parentOf } from './collections.ts'
import { BodyFailure, HttpClient } from './http-client.ts'
import { missing, readObject } from './read-object.ts'
import { type FoundResource, Resources } from './resources.ts'
import { retryCut } from './retry-cut.ts'
import { putIsWhole, serverKind } from './server-kinds.ts'
import { type SweepOptions, type SweepResult, sweepCollection } from './sweep.ts'
import { type CallContext, DRIVER, failure, statusFailure } from './webdav-errors.ts'
import type { WebDAVStoreOptions } from './webdav-options.ts'
import { putAside, putDirectly, type WriteTarget } from './write-object.ts'

/** Keys deleted together. */
const DELETES_AT_ONCE = 16

/** Objects as files below a WebDAV collection. */
export class WebDAVStore implements BlobStore {
  readonly driver: string = DRIVER
  /** `conditionalPut` is what the server was seen to keep when the store was opened. */
  readonly capabilities: Capabilities
  /** Address of the folder, without credentials. */
  readonly url: string
  readonly #resources: Resources
  readonly #collections: Collections

  private constructor(resources: Resources, options: WebDAVStoreOptions, conditionalPut: boolean) {
    this.url = options.url
    this.#resources = resources
    this.#collections = new Collections(resources, options.createRoot ?? true)
    this.capabilities = { conditionalPut, consistentList: true }
  }

  /**
   * Asks the server what it is, and tries preconditions where it may keep them (see `WebDAVStoreOptions.conditionalPut`).
   * @throws StorageError 'permission-denied', 'invalid-config', 'unsupported', 'unavailable', 'timeout'
   */
  static async open(options: WebDAVStoreOptions, { signal }: AbortOptions = {}): Promise<WebDAVStore> {
    signal?.throwIfAborted()
    const context: CallContext = { operation: 'open' }
    const { origin, pathname } = new URL(options.url)
    const http = new HttpClient(origin, options, options.requestLimitMs ?? 30_000)
    try {
      const root = pathname.replace(/\/+$/, '')
      const { kind, exists } = await findKind(http, context, `${root}/`, signal)
      const { conditionalPut = 'auto' } = options
      const tries =
        conditionalPut !== 'never' &&
        (kind.conditions === 'atomic' || (kind.conditions === 'unknown' && conditionalPut === 'probe'))
      if (!tries) return new WebDAVStore(new Resources(http, root, kind), options, false)
      // A folder that does not exist is not made for this: the one above it is on the same server.
      const place = exists ? root : await existingRoot(new Resources(http, root, kind), context, root)
      const trial = new WebDAVStore(new Resources(http, place, kind), options, true)
      const thorough = conditionalPut === 'probe'
      const { honoured } = await probeConditionalPut(trial, { signal, thorough })
      await trial.#removeProbePlace(context)
      return new WebDAVStore(new Resources(http, root, kind), options, honoured)
    } catch (error) {
      http.end()
      throw error
    }
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    const { prefix = '', startAfter = '', signal } = options
    checkListKeys(options, DRIVER)
    signal?.throwIfAborted()
    const walk = walkFolders((base) => this.#readFolder(base, signal), { prefix, startAfter })
    for await (const { key, entry } of walk) {
      signal?.throwIfAborted()
      yield this.#resources.info(key, entry)
    }
  }

  head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'head', key }, options, async (context) => {
      const found = await this.#resources.find(context, key, options)
      if (found?.kind !== 'file') {
        await this.#collections.checkRoot(context)
        throw missing(context)
      }
      return this.#resources.info(key, found)
    })
  }

  get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    return this.#call({ operation: 'get', key }, options, async (context) => {
      if (options.range !== undefined) checkRange(options.range)
      if (this.#resources.kind.servesBelowFiles && key.includes('/')) {
        const isInside = await this.#collections.exists(context, parentOf(key), options)
        if (!isInside) throw missing(context)
      }
      const content = await retryCut(() => readObject(this.#resources, key, options), options)
      // Nobody will read it: the caller knows of the abort only.
      if (options.signal?.aborted === true) await discardBody(content.body)
      return content
    })
  }

  put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'put', key }, options, async (context) => {
      const { precondition, signal } = options
      const target: WriteTarget = {
        resources: this.#resources,
        collections: this.#collections,
        context,
        key,
      }
      if (precondition === undefined) {
        return withPathLock(this.#resources.http.address(this.#resources.pathOf(key)), () => {
          signal?.throwIfAborted()
          return putIsWhole(this.#resources.kind, key, body)
            ? retryCut(() => putDirectly(target, body, { signal }), { signal })
            : putAside(target, body, { signal })
        })
      }
      if (!this.capabilities.conditionalPut) {
        const hint = 'This server does not keep preconditions, or not when several write at once.'
        throw failure(context, 'unsupported', 'conditional puts are not possible here', { hint })
      }
      return putDecisively(
        {
          body,
          send: () => putDirectly(target, body, { precondition, signal }),
          read: () => readObject(this.#resources, key, { signal }),
        },
        { signal },
      )
    })
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    const { signal } = options
    signal?.throwIfAborted()
    const queue = keys.values()
    let isTouched = false
    const lane = async (): Promise<void> => {
      for (const key of queue) {
        signal?.throwIfAborted()
        const context: CallContext = { operation: 'delete', key }
        const found = await this.#resources.find(context, key, options)
        // A DELETE of a collection would take all that is in it.
        if (found?.kind !== 'file') continue
        isTouched = true
        await retryCut(() => this.#resources.remove(context, key, options), options)
      }
    }
    const lanes = Array.from({ length: Math.min(DELETES_AT_ONCE, keys.length) }, lane)
    await abortable(Promise.all(lanes), signal)
    if (!isTouched) await this.#collections.checkRoot({ operation: 'delete' })
  }

  /** Removes what crashed writers left behind under hidden names. Safe beside running ones. */
  async sweep(options: SweepOptions = {}): Promise<SweepResult> {
    return abortable(sweepCollection(this.#resources, options), options.signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.http.end()
  }

  async #call<T>(
    context: CallContext & { readonly key: string },
    { signal }: AbortOptions,
    task: (context: CallContext) => Promise<T>,
  ): Promise<T> {
    checkKey(context.key, { driver: DRIVER, operation: context.operation })
    signal?.throwIfAborted()
    try {
      return await abortable(task(context), signal)
    } catch (error) {
      throw error instanceof BodyFailure ? error.error : error
    }
  }

  async #readFolder(base: string, signal: AbortSignal | undefined): Promise<FoundResource[]> {
    const context: CallContext = { operation: 'list' }
    const found = await this.#resources.readCollection(context, base, { signal })
    if (found === undefined) await this.#collections.checkRoot(context)
    return (found ?? []).filter(({ name }) => isKey(name))
  }

  /** The probe leaves empty collections, where other stores leave nothing. */
  async #removeProbePlace(context: CallContext): Promise<void> {
    await this.#collections.clear(context, '.sqlstream/probe')
    await this.#collections.clear(context, '.sqlstream')
  }
}

async function findKind(
  http: HttpClient,
  context: CallContext,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ kind: ReturnType<typeof serverKind>; exists: boolean }> {
  return retryCut(
    async () => {
      const reply = await http.request(context, 'PROPFIND', path, { headers: { depth: '0' }, signal })
      await http.drain(context, reply, signal)
      const { status, message } = reply
      if (status !== 207 && status !== 404) throw statusFailure(context, 'PROPFIND', status)
      return { kind: serverKind(String(message.headers['server'] ?? '')), exists: status === 207 }
    },
    { signal },
  )
}

async function existingRoot(resources: Resources, context: CallContext, root: string): Promise<string> {
  const parent = root.slice(0, root.lastIndexOf('/'))
  const { http, kind } = resources
  const found = await new Resources(http, parent, kind).find(context, '')
  return found !== undefined || parent === '' ? parent : existingRoot(resources, context, parent)
}
