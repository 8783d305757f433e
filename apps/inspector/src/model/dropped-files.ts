import { parseFilename, type TXIDRange } from '@sqlstream/ltx'
import { ltxKey, parseLTXKey } from '@sqlstream/replica'
import { InspectorError } from '../inspector-error.ts'

/** A file that was dropped, with the folders it was in. */
export interface DroppedFile<T> {
  /** With `/` between folders. */
  readonly path: string
  readonly content: T
  /** From its header, where its name does not tell. */
  readonly range?: TXIDRange | undefined
}

/** A file in its place in a replica. */
export interface PlacedFile<T> {
  readonly key: string
  readonly content: T
}

/**
 * Finds the place of each file in one replica with the plain layout. What lies below `ltx/<level>/` or `000<level>/` is of that level; a file alone is a snapshot
 * if it begins at transaction 1, else a capture. What is no LTX file is left out.
 *
 * @throws InspectorError `no-files`; `several-replicas` when two files would be in the same place
 */
export function placeFiles<T>(dropped: readonly DroppedFile<T>[]): PlacedFile<T>[] {
  const placed = new Map<string, DroppedFile<T>>()
  for (const file of dropped) {
    const key = keyOf(file)
    if (key === undefined) continue
    const other = placed.get(key)
    if (other) {
      throw new InspectorError(
        'several-replicas',
        `${other.path} and ${file.path} are the same file of different replicas`,
        'Drop the folder of one database.',
      )
    }
    placed.set(key, file)
  }
  if (placed.size === 0) {
    throw new InspectorError(
      'no-files',
      'there is no LTX file in what was dropped',
      'Drop .ltx files, the folder of a replica, or a zip of them.',
    )
  }
  return Array.from(placed, ([key, { content }]) => ({ key, content }))
}

function keyOf({ path, range }: DroppedFile<unknown>): string | undefined {
  const names = path.split('/')
  for (const [layout, depth] of [
    ['plain', 3],
    ['s3', 2],
  ] as const) {
    const parsed = parseLTXKey(layout, names.slice(-depth).join('/'))
    if (parsed.kind === 'ltx') return ltxKey('plain', parsed.level, parsed)
  }
  const own = parseFilename(names[names.length - 1] ?? '') ?? range
  return own && ltxKey('plain', own.minTXID === 1n ? 9 : 0, own)
}
