import { ReplicaError } from '../errors.ts'

/** The error for an object whose bytes are not what was written; the message begins with its key. */
export function damaged(message: string, cause?: Error): ReplicaError {
  const isOtherKind = cause?.message.includes('wrong magic number') ?? false
  return new ReplicaError('corrupt', message, {
    cause,
    hint: isOtherKind
      ? 'It is no LZ4 frame: a backup that was encrypted with age must be decrypted first.'
      : 'The object is not what was written. A state before it, or from another snapshot or generation, can be restored.',
  })
}
