import type { BlobBody } from '@sqlstream/storage'

/** What is known of a server program and cannot be found out by trying. */
export interface ServerKind {
  readonly name: 'lighttpd' | 'Apache' | 'nginx' | 'other'
  /** `atomic`: worth a try. `racy`: honoured one after another, but two of several at once may win. `unknown`: tried when told to. */
  readonly conditions: 'atomic' | 'racy' | 'unknown'
  /**
   * Which PUTs are written aside by the server and renamed, so that nobody sees a part of one. For the others a hidden name and
   * a MOVE must do. `filled`: those with a body; an empty one cuts the old file where it is.
   */
  readonly wholePuts: 'all' | 'filled' | 'none'
  /** Listings have no ETags, and those of files are second and size. */
  readonly etagIsTime: boolean
  /**
   * Milliseconds that must lie between two versions of one size so that their ETags differ; 0: they always do. Where an ETag is the
   * time of the file, that of Linux moves on with the clock's tick, which is 1 to 10 ms.
   */
  readonly etagTick: number
  /** Names with a dot at the front are in no listing, so they get a `~` before it, which no key has. */
  readonly hidesDots: boolean
  /** GET may take length and ETag of one version and the bytes of the next, so what it brings is compared with what is there. */
  readonly getMayMix: boolean
  /** GET of a name below a file brings that file. */
  readonly servesBelowFiles: boolean
  /** Longest name that a PUT can have; a longer one is moved there. */
  readonly longestPut: number
}

const OTHER: ServerKind = {
  name: 'other',
  conditions: 'unknown',
  wholePuts: 'none',
  etagIsTime: false,
  etagTick: 0,
  hidesDots: false,
  getMayMix: true,
  servesBelowFiles: false,
  longestPut: 255,
}

const LIGHTTPD: ServerKind = {
  ...OTHER,
  name: 'lighttpd',
  conditions: 'atomic',
  wholePuts: 'filled',
  getMayMix: false,
  servesBelowFiles: true,
  longestPut: 200,
}

const KINDS: readonly [pattern: RegExp, kind: ServerKind][] = [
  [/^lighttpd/i, LIGHTTPD],
  [/^apache/i, { ...OTHER, name: 'Apache', conditions: 'racy', wholePuts: 'all', etagTick: 10 }],
  [
    /^nginx/i,
    {
      ...OTHER,
      name: 'nginx',
      wholePuts: 'all',
      etagIsTime: true,
      etagTick: 1000,
      hidesDots: true,
      getMayMix: false,
    },
  ],
]

/** By the header `Server`. */
export function serverKind(server: string): ServerKind {
  const found = KINDS.find(([pattern]) => pattern.test(server))
  return found?.[1] ?? OTHER
}

/** Whether a PUT at the name itself shows nobody a part of the object. */
export function putIsWhole({ wholePuts, longestPut }: ServerKind, key: string, body: BlobBody): boolean {
  const size = body instanceof Uint8Array ? body.length : body.size
  if (wholePuts === 'none' || (wholePuts === 'filled' && !size)) return false
  return key.length - key.lastIndexOf('/') - 1 <= longestPut
}
