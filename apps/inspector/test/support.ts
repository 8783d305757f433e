import { toTXID } from '@sqlstream/ltx'
import { type Catalog, createCatalog, type LTXFile, ltxKey } from '@sqlstream/replica'

/** A file in few words: level, first and last TXID, and seconds since 2026 began. */
export type FileWords = readonly [level: number, min: number, max: number, seconds?: number]

export const START = Date.UTC(2026, 0, 1)

export function file([level, min, max, seconds = max]: FileWords): LTXFile {
  const range = { minTXID: toTXID(min), maxTXID: toTXID(max) }
  return {
    key: ltxKey('plain', level, range),
    level,
    size: 1000,
    modified: new Date(START + seconds * 1000),
    ...range,
  }
}

export function catalog(...files: readonly FileWords[]): Catalog {
  return createCatalog(files.map(file))
}

/** `level:min-max` for short tables. */
export function name({ level, minTXID, maxTXID }: LTXFile): string {
  return `${level}:${minTXID}-${maxTXID}`
}
