import { randomInt } from 'node:crypto'
import type { BlobInfo, ETag } from '@sqlstream/storage'

/** What SFTP version 3 tells of a file: no inode, no change time, and whole seconds. */
export interface Attributes {
  readonly kind: 'file' | 'folder' | 'other'
  /** Bytes. */
  readonly size: number
  /** Modification time, seconds since 1970. */
  readonly mtime: number
  /** Access time, seconds since 1970. */
  readonly atime: number
}

// Access times of these 17 years, 2089 to 2106, mark a version. Linux leaves an access time alone that lies ahead (relatime),
// as every mount with noatime does; whether this server is one of them is found out by trying (see probe.ts).
const FIRST_MARK = 2 ** 32 - 2 ** 29
const MARKS = 2 ** 29

/** A random access time for a new version. */
export function newMark(): number {
  return FIRST_MARK + randomInt(MARKS)
}

/**
 * Size, modification time, and the mark: two versions with the same size and second have one ETag once in 500 million times.
 * Without marks, because the server keeps no access times or another program wrote the file, size and time must do.
 */
export function fileETag({ size, mtime, atime }: Attributes, marks: boolean): ETag {
  const mark = marks && atime >= FIRST_MARK ? `-${(atime - FIRST_MARK).toString(36)}` : ''
  return `${size}-${mtime}${mark}` as ETag
}

export function fileInfo(key: string, attributes: Attributes, marks: boolean): BlobInfo {
  const { size, mtime } = attributes
  return { key, size, etag: fileETag(attributes, marks), modified: new Date(mtime * 1000) }
}

/** Seconds since 1970 as the protocol can say them. */
export function wholeSeconds(time: Date): number {
  return Math.min(2 ** 32 - 1, Math.max(0, Math.floor(time.getTime() / 1000)))
}
