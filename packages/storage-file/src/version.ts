import type { BigIntStats } from 'node:fs'
import type { BlobInfo, ETag } from '@sqlstream/storage'

/**
 * Size, modification time and inode. A replacement is a new file written while the old one still exists,
 * so its inode differs from the one before; that of the version before that may be used again, and then
 * the time tells them apart. The change time is left out: making or removing a hard link (a snapshot by
 * `cp -al`, our own claims) changes it without changing a byte.
 */
export function fileETag(stats: BigIntStats): ETag {
  return `${stats.size}-${stats.mtimeNs}-${stats.ino}` as ETag
}

export function fileInfo(key: string, stats: BigIntStats): BlobInfo {
  return {
    key,
    size: Number(stats.size),
    etag: fileETag(stats),
    modified: new Date(Number(stats.mtimeNs / 1_000_000n)),
  }
}
