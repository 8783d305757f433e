/** What a person can do, by error code, for errors that come without a hint. */
const HINTS: Readonly<Record<string, string>> = {
  'target-before-first':
    'sqlstream ltx list shows the first state; only that one and later ones can be restored',
  'target-after-last': 'sqlstream ltx list shows the newest state; without --txid that one is restored',
  'txid-not-restorable': 'sqlstream ltx list shows the files; a TXID at which one ends can be restored',
  'sink-exists': 'choose another path, or replace it with --force',
  corrupt: 'sqlstream verify --depth bytes tells which files are damaged; an earlier state may be whole',
  'bad-magic': 'this is not an LTX file',
  truncated: 'the file was cut off; fetch it again from where it came from',
  'checksum-mismatch': 'the file was damaged after it was written; another copy of it may be whole',
  'invalid-config': 'a file:// URL or path must name a folder',
  ENOENT: 'check the path',
  ENOTDIR: 'check the path',
  EACCES: 'check who may read and write there',
  EPERM: 'check who may read and write there',
  EROFS: 'the file system is mounted read-only',
  ENOSPC: 'free disk space, or choose another disk',
  unexpected: 'run it again with SQLSTREAM_DEBUG=1 for details, and report it',
}

/** The hint for a code, if there is a good one. */
export function hintFor(code: string): string | undefined {
  return Object.hasOwn(HINTS, code) ? HINTS[code] : undefined
}
