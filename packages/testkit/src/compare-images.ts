import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { decodeDatabaseHeader } from '@sqlstream/wal'

/** The first difference of two database files, or none. */
export type ImageComparison =
  | { readonly equal: true; readonly pageSize: number; readonly pageCount: number }
  | {
      readonly equal: false
      readonly message: string
      readonly pgno?: number
      readonly differentPages?: number
    }

const CHUNK = 1 << 20
// SQLite locks bytes at this offset, so it never uses the page that holds it.
const LOCK_BYTE = 0x40000000

/**
 * Compares two closed database files page by page, except the lock page. Never compare with a copy by
 * `VACUUM INTO`: that numbers the pages anew.
 */
export function compareImages(pathA: string, pathB: string): ImageComparison {
  const a = openSync(pathA, 'r')
  const b = openSync(pathB, 'r')
  try {
    const sizeA = fstatSync(a).size
    const sizeB = fstatSync(b).size
    const header = new Uint8Array(100)
    readSync(a, header, 0, 100, 0)
    const { pageSize } = decodeDatabaseHeader(header)
    const lockPage = LOCK_BYTE / pageSize + 1
    const bufferA = Buffer.alloc(CHUNK)
    const bufferB = Buffer.alloc(CHUNK)
    const different: number[] = []
    let where = ''
    for (let at = 0; at < Math.min(sizeA, sizeB); at += CHUNK) {
      const lengthA = readSync(a, bufferA, 0, CHUNK, at)
      const lengthB = readSync(b, bufferB, 0, CHUNK, at)
      const length = Math.min(lengthA, lengthB)
      if (bufferA.compare(bufferB, 0, length, 0, length) === 0) continue
      for (let offset = 0; offset < length; offset += pageSize) {
        const pgno = (at + offset) / pageSize + 1
        const pageA = bufferA.subarray(offset, offset + pageSize)
        const pageB = bufferB.subarray(offset, offset + pageSize)
        if (pgno === lockPage || pageA.equals(pageB)) continue
        if (different.length === 0) {
          const byte = pageA.findIndex((value, i) => value !== pageB[i])
          where = `page ${pgno} differs at byte ${byte}: 0x${pageA[byte]?.toString(16)} and 0x${pageB[byte]?.toString(16)}`
        }
        different.push(pgno)
      }
    }
    const differentPages = different.length
    if (differentPages > 0) {
      const message = `${where}; ${differentPages} of ${sizeA / pageSize} pages differ: ${different.slice(0, 10).join(', ')}`
      return { equal: false, message, pgno: different[0]!, differentPages }
    }
    if (sizeA !== sizeB) {
      return { equal: false, message: `sizes differ: ${sizeA / pageSize} and ${sizeB / pageSize} pages` }
    }
    return { equal: true, pageSize, pageCount: sizeA / pageSize }
  } finally {
    closeSync(a)
    closeSync(b)
  }
}
