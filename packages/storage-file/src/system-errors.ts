import { StorageError, type StorageErrorCode, type StorageOperationName } from '@sqlstream/storage'

export const DRIVER = 'file'

/** The `code` of an error of the operating system ("ENOENT"), undefined for all other errors. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, syscall } = error as NodeJS.ErrnoException
  return typeof code === 'string' && typeof syscall === 'string' ? code : undefined
}

/** No such file, or a part of its path is a file. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

interface Meaning {
  readonly code: StorageErrorCode
  readonly transient?: boolean
  readonly hint?: string
}

const OTHER_FILE_SYSTEM = 'Keep everything below the root on one file system, without mounts between.'
const NO_HARD_LINKS = 'Use a file system with hard links; conditional puts need them.'
const TOO_MANY_FILES = 'Raise the limit of open files (ulimit -n), or lower the concurrency.'
const FOLDER_IN_THE_WAY = 'One key is a folder of another key; a file system cannot hold both.'

const NO_LINKS: Meaning = { code: 'unsupported', hint: NO_HARD_LINKS }

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOENT: { code: 'not-found' },
  EACCES: { code: 'permission-denied', hint: 'Give this user access to the folder.' },
  EPERM: { code: 'permission-denied', hint: 'Give this user access to the folder.' },
  EROFS: { code: 'permission-denied', hint: 'The file system is mounted read-only.' },
  ENOSPC: { code: 'unavailable', hint: 'The disk is full: free space (or inodes) on this file system.' },
  EDQUOT: { code: 'unavailable', hint: 'The disk quota is used up: free space or raise it.' },
  EMFILE: { code: 'unavailable', hint: TOO_MANY_FILES },
  ENFILE: { code: 'unavailable', hint: TOO_MANY_FILES },
  EAGAIN: { code: 'unavailable' },
  EBUSY: { code: 'unavailable' },
  EIO: { code: 'unavailable', transient: false, hint: 'The disk reports errors: look into the system log.' },
  ESTALE: { code: 'unavailable', hint: 'The network file system lost the folder: mount it again.' },
  ENOTCONN: { code: 'unavailable', hint: 'The network file system is not connected.' },
  EHOSTDOWN: { code: 'unavailable', hint: 'The network file system is not connected.' },
  ETIMEDOUT: { code: 'timeout' },
  EXDEV: { code: 'unsupported', hint: OTHER_FILE_SYSTEM },
  EMLINK: NO_LINKS,
  ENOTSUP: NO_LINKS,
  EOPNOTSUPP: NO_LINKS,
  ENOSYS: NO_LINKS,
  ENAMETOOLONG: { code: 'invalid-key', hint: 'Use a shorter key or a root with a shorter path.' },
  EISDIR: { code: 'invalid-key', hint: FOLDER_IN_THE_WAY },
  ENOTDIR: { code: 'invalid-key', hint: FOLDER_IN_THE_WAY },
  ENOTEMPTY: { code: 'invalid-key', hint: FOLDER_IN_THE_WAY },
  EEXIST: { code: 'invalid-key', hint: FOLDER_IN_THE_WAY },
  EFBIG: {
    code: 'unsupported',
    hint: 'The file system or a limit (ulimit -f) does not allow files of this size.',
  },
}

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

/** The `StorageError` for an error of the operating system; any other error stays as it is. */
export function translateError(error: unknown, context: CallContext): unknown {
  const system = systemCode(error)
  if (system === undefined) return error
  // A hard link is refused with EPERM where the file system has none.
  const noLinks = system === 'EPERM' && (error as NodeJS.ErrnoException).syscall === 'link'
  const meaning = noLinks ? NO_LINKS : (MEANINGS[system] ?? { code: 'unknown' })
  const what = context.key === undefined ? context.operation : `${context.operation} ${context.key}`
  return new StorageError(`${what}: ${(error as Error).message}`, {
    driver: DRIVER,
    ...context,
    ...meaning,
    cause: error,
  })
}

export function failure(
  context: CallContext,
  code: StorageErrorCode,
  message: string,
  hint?: string,
): StorageError {
  return new StorageError(message, { driver: DRIVER, ...context, code, hint })
}
