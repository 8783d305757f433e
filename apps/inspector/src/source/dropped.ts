import { decodeHeader, HEADER_SIZE, isLTXError, type TXIDRange } from '@sqlstream/ltx'
import type { Source } from '../inspection.ts'
import { readArchive } from '../model/archive.ts'
import { type DroppedFile, placeFiles } from '../model/dropped-files.ts'
import { BlobFiles } from './blob-files.ts'

/** A file with the folders it was in. */
export interface PathFile {
  readonly path: string
  readonly file: File
}

/** Files, folders and archives as a replica. @throws InspectorError `no-files`, `several-replicas`, `bad-archive`, `too-large` */
export async function openDropped(dropped: readonly PathFile[]): Promise<Source> {
  const files: DroppedFile<{ blob: Blob; modified: Date }>[] = []
  for (const { path, file } of dropped) {
    const modified = new Date(file.lastModified)
    if (path.endsWith('.zip')) {
      for (const each of readArchive(new Uint8Array(await file.arrayBuffer()))) {
        files.push({ path: each.path, content: { blob: new Blob([each.bytes]), modified } })
      }
    } else if (path.endsWith('.ltx')) {
      files.push({ path, content: { blob: file, modified }, range: await rangeOf(file) })
    }
  }
  const store = new BlobFiles(placeFiles(files).map(({ key, content }) => ({ key, ...content })))
  const [first] = dropped
  const name = dropped.length === 1 && first ? first.path : (first?.path.split('/')[0] ?? 'files')
  return { name, store, layout: 'plain', urlOf: (key) => store.urlOf(key) }
}

/** What the header says; undefined for a file that has none. */
async function rangeOf(file: Blob): Promise<TXIDRange | undefined> {
  try {
    return decodeHeader(new Uint8Array(await file.slice(0, HEADER_SIZE).arrayBuffer()))
  } catch (error) {
    if (isLTXError(error)) return undefined
    throw error
  }
}

/** What a drop holds, folders opened. To be called while the event is told: afterwards the browser forgets it. */
export async function filesOfDrop(transfer: DataTransfer): Promise<PathFile[]> {
  const entries: (FileSystemEntry | File)[] = []
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry() ?? item.getAsFile()
    if (entry) entries.push(entry)
  }
  return (await Promise.all(entries.map(filesOfEntry))).flat()
}

async function filesOfEntry(entry: FileSystemEntry | File): Promise<PathFile[]> {
  if (entry instanceof File) return [{ path: entry.name, file: entry }]
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return [{ path: entry.fullPath.replace(/^\//, ''), file }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const files: PathFile[] = []
  // It gives some at a time, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return files
    files.push(...(await Promise.all(some.map(filesOfEntry))).flat())
  }
}

/** What was chosen in a dialog. */
export function filesOfInput(list: FileList | null): PathFile[] {
  return Array.from(list ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file }))
}
