/** What the process returns. Documented in the README, where a test compares the two. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  corrupt: 4,
  conflict: 5,
  unavailable: 6,
  targetExists: 7,
  notRestorable: 8,
  unsupported: 9,
  diskFull: 10,
  contractBroken: 11,
  fenced: 12,
  timedOut: 13,
  interrupted: 130,
} as const

/** One of the values of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What each exit code means, in a few words for people. */
export const EXIT_MEANING: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'unexpected error',
  2: 'wrong use of the command',
  3: 'not found: no backup, no database, no file, no running process',
  4: 'corrupt: an LTX file, the chain, or the integrity check',
  5: 'in use by another writer or process, stopped, behind or diverged, or another database’s replica',
  6: 'the store is unavailable or permission was denied',
  7: 'the target exists',
  8: 'not restorable: a gap, before the first or after the last state',
  9: 'unsupported: not SQLite, not in WAL mode, exclusively locked, an unsafe engine, or a store without conditional puts',
  10: 'disk full',
  11: 'the store breaks its contract',
  12: 'fenced: another writer has taken over',
  13: 'timed out: what was asked for is not done yet',
  130: 'interrupted before everything was uploaded',
}

type ByCode = Readonly<Record<string, ExitCode>>

/**
 * Error class name, then error code, to exit code. By name, so that two installed copies of a
 * package do no harm. `*` is every other code of that class.
 */
const TABLE: Readonly<Record<string, ByCode>> = {
  CLIError: {
    usage: EXIT.usage,
    'unknown-scheme': EXIT.usage,
    'bad-url': EXIT.usage,
    'bad-config': EXIT.usage,
    'driver-missing': EXIT.usage,
    'driver-failed': EXIT.usage,
    'bad-driver': EXIT.usage,
    'driver-conflict': EXIT.usage,
    'file-missing': EXIT.notFound,
    'no-backup': EXIT.notFound,
    corrupt: EXIT.corrupt,
    'target-exists': EXIT.targetExists,
    'output-closed': EXIT.interrupted,
    interrupted: EXIT.interrupted,
    'no-process': EXIT.notFound,
    'several-processes': EXIT.usage,
    'unknown-database': EXIT.notFound,
    'already-registered': EXIT.conflict,
    'database-stopped': EXIT.conflict,
    'member-of-folder': EXIT.usage,
    'socket-in-use': EXIT.conflict,
    'address-in-use': EXIT.conflict,
    'no-answer': EXIT.unavailable,
    stopping: EXIT.unavailable,
    'timed-out': EXIT.timedOut,
  },
  LTXError: { 'non-contiguous': EXIT.corrupt, '*': EXIT.corrupt },
  WALError: { '*': EXIT.corrupt },
  StorageError: {
    'not-found': EXIT.notFound,
    'precondition-failed': EXIT.conflict,
    'permission-denied': EXIT.unavailable,
    'rate-limited': EXIT.unavailable,
    unavailable: EXIT.unavailable,
    timeout: EXIT.unavailable,
    'invalid-key': EXIT.usage,
    'invalid-config': EXIT.usage,
    unsupported: EXIT.usage,
  },
  ReplicaError: {
    'no-snapshot': EXIT.notFound,
    'no-generation': EXIT.notFound,
    gap: EXIT.notRestorable,
    'target-before-first': EXIT.notRestorable,
    'target-after-last': EXIT.notRestorable,
    'txid-not-restorable': EXIT.notRestorable,
    corrupt: EXIT.corrupt,
    diverged: EXIT.corrupt,
    'bad-name': EXIT.corrupt,
    'check-failed': EXIT.corrupt,
    fenced: EXIT.fenced,
    'sink-exists': EXIT.targetExists,
    'disk-full': EXIT.diskFull,
    'bad-policy': EXIT.usage,
    'unsafe-removal': EXIT.unexpected,
  },
  ReadReplicaError: {
    sql: EXIT.usage,
    'open-transaction': EXIT.usage,
    'snapshot-gone': EXIT.notRestorable,
    stale: EXIT.unavailable,
    'went-back': EXIT.conflict,
    'timed-out': EXIT.timedOut,
  },
  PrimaryError: {
    'database-missing': EXIT.notFound,
    'not-a-database': EXIT.unsupported,
    'not-wal-mode': EXIT.unsupported,
    'unsafe-sqlite': EXIT.unsupported,
    'exclusive-locking': EXIT.unsupported,
    'page-size-changed': EXIT.unsupported,
    'database-replaced': EXIT.conflict,
    'wrong-database': EXIT.conflict,
    behind: EXIT.conflict,
    locked: EXIT.conflict,
    diverged: EXIT.conflict,
    'lease-held': EXIT.conflict,
    'lease-unsupported': EXIT.unsupported,
    fenced: EXIT.fenced,
    busy: EXIT.conflict,
    'state-folder': EXIT.unavailable,
    'wal-discontinuous': EXIT.corrupt,
    'disk-full': EXIT.diskFull,
    'given-up': EXIT.diskFull,
  },
  FollowerError: {
    'target-exists': EXIT.targetExists,
    locked: EXIT.conflict,
    'local-changed': EXIT.conflict,
    'wrong-replica': EXIT.conflict,
    rewound: EXIT.conflict,
    diverged: EXIT.conflict,
    'page-size-changed': EXIT.unsupported,
    promoted: EXIT.conflict,
    empty: EXIT.notRestorable,
  },
  SystemError: {
    ENOENT: EXIT.notFound,
    ENOTDIR: EXIT.notFound,
    EISDIR: EXIT.usage,
    EACCES: EXIT.unavailable,
    EPERM: EXIT.unavailable,
    EROFS: EXIT.unavailable,
    EEXIST: EXIT.targetExists,
    ENOSPC: EXIT.diskFull,
    EDQUOT: EXIT.diskFull,
  },
}

/** The exit code for an error of class `name` with `code`; 1 for what is not known. */
export function exitCodeOf(name: string, code: string): ExitCode {
  const byCode = TABLE[name]
  return byCode?.[code] ?? byCode?.['*'] ?? EXIT.unexpected
}
