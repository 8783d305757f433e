import { fileTime, type LTXFile } from '@sqlstream/replica'
import { counted, formatBytes, formatTime, formatTXIDs } from './units.ts'

/** What a file is, in a word. */
export function kindOf(file: LTXFile): string {
  if (file.minTXID === 1n) return 'Snapshot'
  return file.level === 0 ? 'Capture' : `Merge of level ${file.level}`
}

/** A file in a line. */
export function describeFile(file: LTXFile): string {
  const txids = file.minTXID === 1n ? String(file.maxTXID) : formatTXIDs(file.minTXID, file.maxTXID)
  return `${kindOf(file)}, TXID ${txids} · ${formatBytes(file.size)} · ${formatTime(fileTime(file))} UTC`
}

/** Some files of a level in a line, in the order of their TXIDs. */
export function describeFiles(files: readonly LTXFile[]): string {
  const [first] = files
  const last = files[files.length - 1]
  if (!first || !last) return 'No file'
  if (files.length === 1) return describeFile(first)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  return `${counted(files.length, 'file')}, TXID ${formatTXIDs(first.minTXID, last.maxTXID)}, ${formatBytes(bytes)}`
}
