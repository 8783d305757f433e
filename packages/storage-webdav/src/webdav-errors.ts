import {
  codeOfStatus,
  StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'

export const DRIVER = 'webdav'

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

export function failure(
  context: CallContext,
  code: StorageErrorCode,
  message: string,
  more: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
): StorageError {
  const what = context.key === undefined ? context.operation : `${context.operation} ${context.key}`
  return new StorageError(`${what}: ${message}`, { driver: DRIVER, ...context, code, ...more })
}

interface Meaning {
  readonly code: StorageErrorCode
  readonly hint?: string
}

const REDIRECT: Meaning = { code: 'invalid-config', hint: 'Give the address that the server redirects to.' }

const MEANINGS: Readonly<Record<number, Meaning>> = {
  301: REDIRECT,
  302: REDIRECT,
  307: REDIRECT,
  308: REDIRECT,
  401: {
    code: 'permission-denied',
    hint: 'Check user and password; only Basic authentication is known here.',
  },
  403: { code: 'permission-denied', hint: 'Give this user the right to read and write below the folder.' },
  405: { code: 'unsupported', hint: 'Is this address one of WebDAV, and may it be written?' },
  409: { code: 'unavailable', hint: 'A folder above the object was removed meanwhile, or cannot be made.' },
  411: {
    code: 'unsupported',
    hint: 'The server takes no body without a length: put bodies whose size is known.',
  },
  413: { code: 'unsupported', hint: 'Raise the limit of the server (nginx: client_max_body_size).' },
  414: { code: 'invalid-key', hint: 'Use a shorter key.' },
  423: { code: 'unavailable', hint: 'Another program holds a lock on it.' },
  507: { code: 'unavailable', hint: 'The disk of the server is full, or the quota used up.' },
}

/** For an answer that is none of those which a request can go on with. */
export function statusFailure(context: CallContext, method: string, status: number): StorageError {
  const { code, hint } = MEANINGS[status] ?? { code: codeOfStatus(status) }
  return failure(context, code, `${method} was answered with ${status}`, { hint })
}
