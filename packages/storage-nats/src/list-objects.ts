import { type BlobInfo, checkListKeys, isKey, type ListOptions } from '@sqlstream/storage'
import type { Bucket } from './bucket.ts'
import { DRIVER } from './nats-errors.ts'
import { infoOf, isThere, newestVersion } from './version.ts'

/** Meta messages asked for at once. */
const BATCH = 64

/**
 * The names come from what the server knows of its subjects, the rest from a message for each. A consumer would bring all in one go,
 * but a server of 2.9 leaves most of them out when it replaces a message meanwhile: seen with 1 of 100.
 */
export async function* listObjects(bucket: Bucket, options: ListOptions): AsyncGenerator<BlobInfo, void> {
  const { prefix = '', startAfter = '', signal } = options
  checkListKeys(options, DRIVER)
  signal?.throwIfAborted()
  const context = { operation: 'list', signal } as const
  const filter = bucket.allMetaSubjects
  const { state } = await bucket.repeated(context, () =>
    bucket.jsm.streams.info(bucket.stream, { subjects_filter: filter }),
  )
  const keys = Object.keys(state.subjects ?? {})
    .map((subject) => keyOf(subject))
    .filter((key) => isKey(key) && key.startsWith(prefix) && key > startAfter)
    .sort()
  for (let at = 0; at < keys.length; at += BATCH) {
    const batch = keys.slice(at, at + BATCH)
    const versions = await Promise.all(batch.map((key) => newestVersion(bucket, { ...context, key })))
    for (const version of versions) {
      signal?.throwIfAborted()
      // One may have been deleted since its name was read.
      if (isThere(version)) yield infoOf(version)
    }
  }
}

/** The name in a subject; empty where it is none. */
function keyOf(subject: string): string {
  const name = subject.slice(subject.lastIndexOf('.') + 1)
  try {
    return atob(name.replaceAll('-', '+').replaceAll('_', '/'))
  } catch {
    return ''
  }
}
