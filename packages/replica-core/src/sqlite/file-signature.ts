/** Times of files have ticks of some milliseconds: a file that was written within one looks unchanged when it is written again. */
export const SETTLED_MS = 20

/** What a file system says of a file. As long as it says the same, nobody has written or replaced the file. */
export interface FileSignature {
  readonly dev: bigint
  readonly ino: bigint
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** The signature in what `stat` tells in big integers. */
export function signatureOf({
  dev,
  ino,
  size,
  mtimeNs,
  ctimeNs,
}: Omit<FileSignature, 'size'> & { readonly size: bigint }): FileSignature {
  return { dev, ino, size: Number(size), mtimeNs, ctimeNs }
}

export function sameSignature(a: FileSignature, b: FileSignature): boolean {
  return (
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  )
}
