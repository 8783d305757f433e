declare const brand: unique symbol

/** Opaque version of an object: compare for equality only. */
export type ETag = string & { readonly [brand]: 'ETag' }

/** Every asynchronous call takes these; an aborted call rejects with `signal.reason`, untouched. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}

/** What a store knows of an object without reading it. */
export interface BlobInfo {
  readonly key: string
  /** Bytes of the whole object, also when only a range was asked for. */
  readonly size: number
  readonly etag: ETag
  /** The server's clock, or `PutOptions.timestamp` where the store has only one time (a file). */
  readonly modified: Date
}

/** A body that can be read again, so that a failed upload can be retried. */
export interface ReplayableBody {
  /** Bytes that each reading yields; absent when not known in advance. */
  readonly size?: number | undefined
  /**
   * A chunk stays as it is until the one after the next is asked for, so a driver may ask for the next one while it is still at work on
   * this one. Default false: its memory is used again for the next.
   */
  readonly chunksStay?: boolean | undefined
  /** Starts a new reading from the first byte. May be called again after an earlier reading ended. */
  open(): AsyncIterable<Uint8Array>
}

/** What `put` takes. A driver must not keep or change the bytes after the call. */
export type BlobBody = Uint8Array | ReplayableBody

/** The bytes of an object or of a range of it, once, in order. */
export interface BlobStream extends AsyncIterable<Uint8Array> {
  /** Optional: all the bytes, where they are in memory already. Who takes them from here reads nothing and releases nothing. */
  readonly whole?: Uint8Array | undefined
  /**
   * Optional, where it spares a copy: puts the next bytes at the beginning of `target` and resolves with their
   * number, which may be less than fits; 0 is the end. Throws RangeError when `target` has no room at all. It and the
   * iterator go through the same bytes, so a reader may change between them; calls must not overlap. Until the promise
   * settles the store may write to `target`.
   */
  readInto?(target: Uint8Array): Promise<number>
}

/** What `get` gives. */
export interface BlobContent {
  readonly info: BlobInfo
  /**
   * The bytes, once. Read it to the end, leave the loop early, or call `discardBody`: an abandoned
   * body holds a socket or a descriptor. Chunks are the reader's to keep.
   */
  readonly body: BlobStream
}

/**
 * Part of an object: `length` bytes from `offset` (to the end when absent), or the last `suffix` bytes.
 * Offsets are integers from 0, lengths and suffixes from 1. What lies past the end is cut off; a range
 * without a single byte of the object is 'range-not-satisfiable'.
 */
export type ByteRange =
  | { readonly offset: number; readonly length?: number | undefined; readonly suffix?: never }
  | { readonly suffix: number; readonly offset?: never; readonly length?: never }

/** What must hold at the moment an object becomes visible. */
export type Precondition = { readonly kind: 'absent' } | { readonly kind: 'match'; readonly etag: ETag }

export interface ListOptions extends AbortOptions {
  /** Only keys that start with this string; it need not end at a `/`. Default: all. */
  readonly prefix?: string | undefined
  /** Only keys strictly after this one in byte order. It need not exist. */
  readonly startAfter?: string | undefined
}

export interface GetOptions extends AbortOptions {
  /** Default: the whole object. */
  readonly range?: ByteRange | undefined
  /**
   * Where a driver puts the bytes if it reads them all at once: gives an array of that size, called at most once. Then the bytes are
   * those of `whole`, and not to be changed by the giver before `get` has settled. A driver may ignore it. Default: new memory.
   */
  readonly room?: ((size: number) => Uint8Array) | undefined
}

export interface PutOptions extends AbortOptions {
  /** Default: none, an existing object is replaced. */
  readonly precondition?: Precondition | undefined
  /** The time the content is from: a file's modification time, or metadata of an object. */
  readonly timestamp?: Date | undefined
}

/** What `copy` takes: the same as `put`. */
export interface CopyOptions extends PutOptions {}

/** An object as the driver below all wrappers names it: what `copy` begins with. */
export interface CopySource {
  /** The driver's own store, never a wrapper. */
  readonly store: BlobStore
  /** Its key there. */
  readonly key: string
}

/** What a store promises beyond the minimum. Only this makes conformance tests skip. */
export interface Capabilities {
  /** put() honours preconditions atomically. Without it there is no lease. */
  readonly conditionalPut: boolean
  /** list() sees every put() and delete() that finished before it began. */
  readonly consistentList: boolean
}

/** What a storage driver implements; CONTRACT.md states each duty. It knows nothing of LTX. */
export interface BlobStore extends AsyncDisposable {
  /** "s3", "file", …: for errors, events and logs. */
  readonly driver: string
  readonly capabilities: Capabilities
  /** Must yield in ascending byte order of keys, across pages. */
  list(options?: ListOptions): AsyncIterable<BlobInfo>
  /** Must reject with 'not-found' when there is no such object. */
  head(key: string, options?: AbortOptions): Promise<BlobInfo>
  /** Must reject before the first byte when the object or the range does not exist. */
  get(key: string, options?: GetOptions): Promise<BlobContent>
  /** All or nothing: no reader may ever see part of an object. */
  put(key: string, body: BlobBody, options?: PutOptions): Promise<BlobInfo>
  /**
   * Optional, together with `copy`: names one of its objects for the `copy` of a store of the same kind. Sends nothing and
   * does not look whether the object is there. A wrapper that changes bytes must not have it.
   */
  copySource?(key: string): CopySource | undefined
  /**
   * Optional: stores the bytes of another object without their passing through this process, all or nothing, as `put` would. Must
   * resolve with undefined, and have changed nothing, where it cannot: another service or other credentials, an object that is too
   * large, a precondition that the service would not honour. Must reject with 'not-found' when there is no such source.
   */
  copy?(source: CopySource, key: string, options?: CopyOptions): Promise<BlobInfo | undefined>
  /** A key that does not exist is not an error. */
  delete(keys: readonly string[], options?: AbortOptions): Promise<void>
}
