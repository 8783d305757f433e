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
  const objects = Array.from(
    xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g),
    ([, text = '']): BlobInfo => ({
      key: textOf(text, 'Key') ?? '',
      size: Number(textOf(text, 'Size') ?? 0),
      etag: (textOf(text, 'ETag') ?? '') as ETag,
      modified: new Date(textOf(text, 'LastModified') ?? 0),
    }),
  )
  const isCut = textOf(xml, 'IsTruncated') === 'true'
  return { objects, next: isCut ? textOf(xml, 'NextContinuationToken') : undefined }
}

function textOf(xml: string, name: string): string | undefined {
  const [, text] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? []
  return text?.replaceAll(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (all, decimal, hex, named) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return NAMES[named] ?? all
  })
}
