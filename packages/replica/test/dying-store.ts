import { type BlobInfo, type BlobStore, relayCopy } from '@sqlstream/storage'

/** Order inside one delete is the store's own: that of a listing, or the reverse. */
export type DeleteOrder = 'ascending' | 'descending'

/** Whether an error is that of a `dyingStore`, maybe as the reason of another one. */
export function isDeath(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.message === 'died' || isDeath(error.cause)
}

/**
 * A store whose process dies at the n-th step: before or after a request is carried out, or after some of the files of a delete. From
 * then on nothing reaches the store any more.
 */
export function dyingStore(
  inner: BlobStore,
  n: number,
  order: DeleteOrder = 'ascending',
): BlobStore & { steps: number } {
  const store = {
    steps: 0,
    driver: inner.driver,
    capabilities: inner.capabilities,
    async *list(options?: Parameters<BlobStore['list']>[0]): AsyncGenerator<BlobInfo> {
      step()
      yield* inner.list(options)
    },
    async head(...args: Parameters<BlobStore['head']>) {
      step()
      return await inner.head(...args)
    },
    async get(...args: Parameters<BlobStore['get']>) {
      step()
      return await inner.get(...args)
    },
    async put(...args: Parameters<BlobStore['put']>) {
      step()
      const info = await inner.put(...args)
      step()
      return info
    },
    ...relayCopy(inner, {
      async around(send, _, options) {
        step()
        const info = await send(options)
        step()
        return info
      },
    }),
    async delete(keys: readonly string[]) {
      const sorted = [...keys].sort()
      for (const key of order === 'ascending' ? sorted : sorted.reverse()) {
        step()
        await inner.delete([key])
      }
      step()
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  function step(): void {
    if (++store.steps >= n) throw new Error('died')
  }
  return store
}
