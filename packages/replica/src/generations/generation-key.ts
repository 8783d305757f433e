/** Folder of the backups that Litestream 0.3 made, below the replica's prefix, in every kind of store. */
export const GENERATIONS_PREFIX = 'generations/'

/** What a key below that folder is. */
export type GenerationKey =
  | { readonly kind: 'snapshot'; readonly generation: string; readonly index: number }
  | { readonly kind: 'segment'; readonly generation: string; readonly index: number; readonly offset: number }
  | { readonly kind: 'bad-name' }
  | { readonly kind: 'foreign' }

const SNAPSHOT = /^([0-9a-f]{16})\/snapshots\/([0-9a-f]{8})\.snapshot\.lz4$/
// Between index and offset stands `_`; development versions after 0.3 made a folder of the index.
const SEGMENT = /^([0-9a-f]{16})\/wal\/([0-9a-f]{8})[_/]([0-9a-f]{8,16})\.wal\.lz4$/
const BAD_NAME: GenerationKey = { kind: 'bad-name' }
const FOREIGN: GenerationKey = { kind: 'foreign' }

/**
 * What a key is. A name that ends in `.lz4` must parse: such an object may be a part of the history that a reader would
 * otherwise miss without a word. All else, such as the temp files of an upload that died, is foreign.
 */
export function parseGenerationKey(key: string): GenerationKey {
  if (!key.startsWith(GENERATIONS_PREFIX) || !key.endsWith('.lz4')) return FOREIGN
  const path = key.slice(GENERATIONS_PREFIX.length)
  const snapshot = SNAPSHOT.exec(path)
  if (snapshot) {
    const [, generation = '', index = ''] = snapshot
    return { kind: 'snapshot', generation, index: Number.parseInt(index, 16) }
  }
  const segment = SEGMENT.exec(path)
  if (!segment) return BAD_NAME
  const [, generation = '', index = '', hex = ''] = segment
  const offset = Number.parseInt(hex, 16)
  if (!Number.isSafeInteger(offset)) return BAD_NAME
  return { kind: 'segment', generation, index: Number.parseInt(index, 16), offset }
}
