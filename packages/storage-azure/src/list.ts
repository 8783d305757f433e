import type { ContainerClient } from '@azure/storage-blob'
import { type BlobInfo, checkListKeys, isKey, type ListOptions, StorageError } from '@sqlstream/storage'
import { infoOf } from './info.ts'
import type { Requests } from './requests.ts'
import { DRIVER } from './service-errors.ts'

/** The most that the service gives in an answer. */
const PAGE_SIZE = 5000
const HIERARCHICAL =
  'An account with a hierarchical namespace (Data Lake) lists in another order: use one without.'

/**
 * @param pageSize entries of an answer, at most
 * @throws StorageError 'unsupported' when the service does not list in byte order
 */
export async function* listBlobs(
  container: ContainerClient,
  requests: Requests,
  options: ListOptions,
  pageSize: number = PAGE_SIZE,
): AsyncGenerator<BlobInfo, void> {
  const { prefix = '', startAfter = '', signal } = options
  checkListKeys(options, DRIVER)
  // Older services do not know it and begin at the beginning; it includes the name itself. So it only saves pages.
  const startFrom = startAfter.startsWith(prefix) && startAfter !== '' ? { startFrom: startAfter } : {}
  let last = ''
  let token: string | undefined
  do {
    signal?.throwIfAborted()
    const page = await requests.repeated({ operation: 'list', signal }, async (abortSignal) => {
      // A listing that failed cannot go on, so each page is a listing of its own.
      const listing = container.listBlobsFlat({
        prefix,
        abortSignal,
        ...(token === undefined ? startFrom : {}),
      })
      return listing
        .byPage({ maxPageSize: pageSize, ...(token === undefined ? {} : { continuationToken: token }) })
        .next()
    })
    if (page.done === true) return
    for (const { name, properties } of page.value.segment.blobItems) {
      if (name <= last) throw unordered(last, name)
      last = name
      if (name <= startAfter || !isKey(name)) continue
      signal?.throwIfAborted()
      yield infoOf({ operation: 'list', key: name }, properties)
    }
    token = page.value.continuationToken || undefined
  } while (token !== undefined)
}

function unordered(last: string, name: string): StorageError {
  return new StorageError(`the service lists ${name} after ${last}`, {
    code: 'unsupported',
    driver: DRIVER,
    operation: 'list',
    hint: HIERARCHICAL,
  })
}
