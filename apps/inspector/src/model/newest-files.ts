import type { LTXFile } from '@sqlstream/replica'

/** So many of the files, those with the highest last TXIDs. */
export function newestFiles(files: readonly LTXFile[], most: number): readonly LTXFile[] {
  if (files.length <= most) return files
  const sorted = files.toSorted((a, b) => (a.maxTXID === b.maxTXID ? 0 : a.maxTXID > b.maxTXID ? -1 : 1))
  return sorted.slice(0, most)
}
