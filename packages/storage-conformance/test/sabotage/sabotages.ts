import type { BlobStore } from '@sqlstream/storage'

/** By what is wrong: a clause that must notice it, and the store that does it. */
export type Sabotages = Readonly<
  Record<string, readonly [clause: string, sabotage: (store: BlobStore) => Partial<BlobStore>]>
>

/** Bytes of the large bodies in these tests. */
export const LARGE_BYTES = 200_000
