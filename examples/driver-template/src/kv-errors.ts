import { codeOfStatus, StorageError, type StorageOperationName } from '@sqlstream/storage'

/** Our name in errors and events. */
export const DRIVER = 'kv'

/** The call that an error is about. */
export interface Call {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

/** The one table from the service's answers to codes. Here its statuses mean what they mean in HTTP. */
export function refused(status: number, call: Call): StorageError {
  const what = call.key === undefined ? call.operation : `${call.operation} ${call.key}`
  const code = codeOfStatus(status)
  const hint = code === 'permission-denied' ? 'Check the token in KV_TOKEN.' : undefined
  return new StorageError(`${what}: the service answered ${status}`, { code, driver: DRIVER, ...call, hint })
}

/** There was no answer: the request may have been carried out or not. */
export function unanswered(cause: unknown, call: Call): StorageError {
  return new StorageError('the service does not answer', {
    code: 'unavailable',
    driver: DRIVER,
    ...call,
    cause,
  })
}
