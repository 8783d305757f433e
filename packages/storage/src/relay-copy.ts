import type { BlobInfo, BlobStore, CopyOptions } from './blob-store.ts'

/** What a wrapper does to the copies that pass through it. */
export interface CopyRelay {
  /** Default: keys stay as they are. */
  readonly keyOf?: ((key: string) => string) | undefined
  /** Default: nothing. `send` passes the call on, with these options. */
  readonly around?:
    | ((
        send: (options: CopyOptions | undefined) => Promise<BlobInfo | undefined>,
        key: string,
        options: CopyOptions | undefined,
      ) => Promise<BlobInfo | undefined>)
    | undefined
}

/** The two methods of a wrapper that are about copies: each is there when the wrapped store has it. */
export function relayCopy(store: BlobStore, relay: CopyRelay = {}): Pick<BlobStore, 'copy' | 'copySource'> {
  const { keyOf = (key) => key, around = (send, _, options) => send(options) } = relay
  return {
    ...(store.copySource === undefined ? {} : { copySource: (key) => store.copySource?.(keyOf(key)) }),
    ...(store.copy === undefined
      ? {}
      : {
          copy: (source, key, options) =>
            around(async (passed) => store.copy?.(source, keyOf(key), passed), key, options),
        }),
  }
}
