import type { Inspection } from '../inspection.ts'
import { writeArchive } from '../model/archive.ts'
import { h } from './element.ts'

/** Puts the files of a replica into a zip and hands it to the browser. @throws the store's errors */
export async function download(inspection: Inspection, onProgress: (done: number) => void): Promise<void> {
  const { files, replica, signal } = inspection
  const parts: Blob[] = []
  let done = 0
  let pending: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  const entries = files.map((file) => ({
    path: file.key,
    modified: file.modified,
    open: async function* () {
      yield* replica.open(file, { signal })
      onProgress(++done)
    },
  }))
  await writeArchive(entries, (chunk) => {
    pending.push(chunk)
    size += chunk.byteLength
    if (size < 4_000_000) return
    // A blob may lie on disk; chunks lie in memory.
    parts.push(new Blob(pending))
    pending = []
    size = 0
  })
  const url = URL.createObjectURL(new Blob([...parts, ...pending], { type: 'application/zip' }))
  const name = inspection.source.name.split(/[/\\]/).filter(Boolean).at(-1) ?? 'replica'
  const link = h('a', { href: url, download: `${name.replaceAll(/[^\w.-]/g, '_')}.zip` })
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
