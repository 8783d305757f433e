import type { ByteStream } from '@sqlstream/ltx'
import { type BlobStore, getBytes } from '@sqlstream/storage'
import { openWhenRead, whenFetched } from '../open-object.ts'

/** What there is to read, in the order in which it will be. */
type Ahead = readonly { readonly key: string; readonly size: number }[]

// Litestream 0.3 makes an object a second, most of them tiny: one after another they would cost a round trip each.
const MOST_REQUESTS = 8
const LARGEST = 1024 * 1024

/** Reads objects in a known order. Small ones are fetched ahead, up to 8 of 1 MiB; a large one is streamed when it is its turn. */
export class ReadAhead {
  readonly #store: BlobStore
  readonly #objects: Ahead
  readonly #signal: AbortSignal
  readonly #stop = new AbortController()
  readonly #fetched = new Map<string, Promise<Uint8Array>>()
  /** Index of the first object that was not looked at. */
  #next = 0

  constructor(store: BlobStore, objects: Ahead, signal: AbortSignal | undefined) {
    this.#store = store
    this.#objects = objects
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal
  }

  /** The bytes of the next object. What comes after it is asked for as well. */
  take(key: string): ByteStream {
    this.#fetch()
    const bytes = this.#fetched.get(key)
    if (!bytes) return openWhenRead(this.#store, { key }, { signal: this.#signal })
    this.#fetched.delete(key)
    return whenFetched(bytes)
  }

  /** Gives up what was asked for and not taken. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.allSettled(this.#fetched.values())
  }

  #fetch(): void {
    const objects = this.#objects
    while (this.#next < objects.length && this.#fetched.size < MOST_REQUESTS) {
      const { key, size } = objects[this.#next]!
      this.#next++
      if (size > LARGEST) return
      const bytes = getBytes(this.#store, key, { signal: this.#signal })
      // Told when it is taken; until then nobody listens.
      bytes.catch(() => undefined)
      this.#fetched.set(key, bytes)
    }
  }
}
