import type { BlobInfo, ETag } from '@sqlstream/storage'

/** One page of a listing of a bucket. */
export interface S3Page {
  readonly objects: readonly BlobInfo[]
  /** For the next page; undefined at the end. */
  readonly next?: string | undefined
}

const NAMES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Reads the answer to ListObjectsV2; undefined when it is something else. */
export function parseS3Listing(xml: string): S3Page | undefined {
  if (!/<ListBucketResult[\s>]/.test(xml)) return undefined
  const objects = Array.from(xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g), ([, text = '']): BlobInfo => ({
    key: valueOf(text, 'Key') ?? '',
    size: Number(valueOf(text, 'Size') ?? 0),
    etag: (valueOf(text, 'ETag') ?? '') as ETag,
    modified: new Date(valueOf(text, 'LastModified') ?? 0),
  }))
  const isCut = valueOf(xml, 'IsTruncated') === 'true'
  return { objects, next: isCut ? valueOf(xml, 'NextContinuationToken') : undefined }
}

function valueOf(xml: string, name: string): string | undefined {
  const [, text] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? []
  return text?.replaceAll(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (all, decimal, hex, named) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return NAMES[named] ?? all
  })
}
