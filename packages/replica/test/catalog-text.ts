import { toTXID } from '@sqlstream/ltx'
import { type Catalog, createCatalog, type LTXFile, ltxKey } from '../src/index.ts'

/**
 * Lines of a catalog: `L<level> <min>[-<max>] [size] [@time] [received time]`, all decimal; times are seconds. `@` is the time in the
 * header; without `received` the store got the file at that time, else at 0.
 */
export function parseCatalog(lines: readonly string[]): Catalog {
  return createCatalog(lines.map(parseFile))
}

/** One line of a catalog. */
export function parseFile(line: string): LTXFile {
  const match = /^L(\d) (\d+)(?:-(\d+))?(?: (\d+))?(?: @(\d+))?(?: received (\d+))?$/.exec(line)
  if (!match) throw new Error(`not a file: ${line}`)
  const [, level, min, max, size, time, received] = match
  const txids = { minTXID: toTXID(BigInt(min as string)), maxTXID: toTXID(BigInt(max ?? (min as string))) }
  return {
    ...txids,
    level: Number(level),
    key: ltxKey('plain', Number(level), txids),
    size: Number(size ?? 1000),
    modified: new Date(Number(received ?? time ?? 0) * 1000),
    ...(time && { timestamp: new Date(Number(time) * 1000) }),
  }
}

/** `L1 2-7`. */
export function fileName(file: LTXFile): string {
  return `L${file.level} ${rangeName(file)}`
}

/** `2-7`, `5`. */
export function rangeName({ minTXID, maxTXID }: { minTXID: bigint; maxTXID: bigint }): string {
  return minTXID === maxTXID ? `${minTXID}` : `${minTXID}-${maxTXID}`
}
