/** Times of files have ticks of some milliseconds: a file that was written within one looks unchanged when it is written again. */
const TICK_MS = 20
/** Some file systems (ext3, HFS+, FAT) know seconds alone, or every other one. */
const COARSE_TICK_MS = 2100
const SECOND_NS = 1_000_000_000n

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

/** So long after a time of a file, milliseconds, every change of the file brings another time. */
export function tickOf(timeNs: bigint): number {
  return timeNs % SECOND_NS === 0n ? COARSE_TICK_MS : TICK_MS
}

/** Whether a file that is written again after `now` (ms since 1970, by the clock of the file system) will have other times. */
export function isSettled({ mtimeNs, ctimeNs }: FileSignature, now: number): boolean {
  return [mtimeNs, ctimeNs].every((time) => now - Number(time) / 1e6 >= tickOf(time))
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
