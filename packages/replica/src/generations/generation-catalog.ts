import type { BlobInfo } from '@sqlstream/storage'
import { ReplicaError } from '../errors.ts'
import { parseGenerationKey } from './generation-key.ts'

/** What both kinds of objects have. */
interface GenerationObject {
  /** Key below the replica's prefix. */
  readonly key: string
  /** Which WAL, counted from 0: Litestream begins a new one whenever SQLite starts its WAL file anew. */
  readonly index: number
  /** Bytes, as listed: compressed. */
  readonly size: number
  /** When the store received it, by the store's clock: all that Litestream 0.3 knows of times. */
  readonly modified: Date
}

/** The database file as it was while the WAL of its index was in use. */
export interface SnapshotObject extends GenerationObject {}

/** A part of a WAL. */
export interface SegmentObject extends GenerationObject {
  /** Where it begins in that WAL, in bytes. */
  readonly offset: number
}

/** One unbroken run of Litestream 0.3 on a database. */
export interface Generation {
  /** 16 hex digits, random: their order says nothing. */
  readonly id: string
  /** By index. */
  readonly snapshots: readonly SnapshotObject[]
  /** By index, then by offset. */
  readonly segments: readonly SegmentObject[]
}

/** What exists. Plain data: the input of `planGeneration`. */
export interface GenerationCatalog {
  readonly generations: ReadonlyMap<string, Generation>
}

/**
 * Sorts a listing of everything below `generations/`. What is no object of Litestream's is left out, but a name that should
 * be one and does not parse throws ReplicaError `bad-name`.
 */
export function sortGenerations(objects: Iterable<BlobInfo>): GenerationCatalog {
  const generations = new Map<
    string,
    { id: string; snapshots: SnapshotObject[]; segments: SegmentObject[] }
  >()
  for (const { key, size, modified } of objects) {
    const parsed = parseGenerationKey(key)
    if (parsed.kind === 'bad-name') throw badName(key)
    if (parsed.kind === 'foreign') continue
    let generation = generations.get(parsed.generation)
    if (!generation) {
      generation = { id: parsed.generation, snapshots: [], segments: [] }
      generations.set(generation.id, generation)
    }
    const { index } = parsed
    if (parsed.kind === 'snapshot') generation.snapshots.push({ key, index, size, modified })
    else generation.segments.push({ key, index, offset: parsed.offset, size, modified })
  }
  for (const { snapshots, segments } of generations.values()) {
    snapshots.sort((a, b) => a.index - b.index)
    segments.sort((a, b) => a.index - b.index || a.offset - b.offset)
  }
  return { generations }
}

function badName(key: string): ReplicaError {
  return new ReplicaError(
    'bad-name',
    `${key} lies among the files of Litestream 0.3, but its name is neither a snapshot's nor a WAL segment's`,
    {
      hint: 'Another tool or version wrote it, or it was renamed: find out which before restoring, then move it away.',
    },
  )
}
