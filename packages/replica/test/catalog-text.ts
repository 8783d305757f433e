import { toTXID } from '@sqlstream/ltx'
import { type Catalog, createCatalog, type LTXFile, ltxKey } from '../src/index.ts'

/**
 * Lines of a catalog: `<level> <min>[-<max>] [size] [@time]`, all decimal; times are seconds.
 */
export function parseCatalog(lines: readonly string[]): Catalog {
  return createCatalog(lines.map(parseFile))
}

/** One line of it. */
export function parseFile(line: string): LTXFile {
  const match = /^L(\d) (\d+)(?:-(\d+))?(?: (\d+))?(?: @(\d+))?$/.exec(line)
  if (!match) throw new Error(`not a file: ${line}`)
  const [, level, min, max, size, time] = match
  const range = { minTXID: toTXID(BigInt(min as string)), maxTXID: toTXID(BigInt(max ?? (min as string))) }
  return {
    ...range,
    level: Number(level),
    key: ltxKey('plain', Number(level), range),
    size: Number(size ?? 1000),
    modified: new Date(0),
    ...(time && { timestamp: new Date(Number(time) * 1000) }),
  }
}

/** A file as its line begins. */
export function fileName(file: LTXFile): string {
  return `L${file.level} ${rangeText(file)}`
}

/** TXIDs in decimal. */
export function rangeText({ minTXID, maxTXID }: { minTXID: bigint; maxTXID: bigint }): string {
  return minTXID === maxTXID ? `${minTXID}` : `${minTXID}-${maxTXID}`
}
