import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import {
  type AbortOptions,
  redactUrl,
  type StorageDriver,
  StorageError,
  urlParameters,
} from '@sqlstream/storage'
import { FileStore } from './file-store.ts'
import { DRIVER, isMissing, translateError } from './system-errors.ts'

/** `file:///absolute/folder`, with `?create=false` for `FileStoreOptions.createRoot`. */
export const fileDriver: StorageDriver = {
  name: DRIVER,
  schemes: ['file'],
  async open(url: URL, options: AbortOptions = {}): Promise<FileStore> {
    options.signal?.throwIfAborted()
    const store = new FileStore(folderOf(url), { createRoot: createRootOf(url) })
    const stats = await stat(store.root).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw translateError(error, { operation: 'open' })
    })
    if (stats?.isDirectory() === false) throw invalid(url, 'is a file, not a folder')
    return store
  },
}

function folderOf(url: URL): string {
  if (url.protocol !== 'file:') throw invalid(url, 'is not a file: URL')
  if (url.pathname.includes('%00')) throw invalid(url, 'is no path: it has a NUL')
  if (url.hash !== '') throw invalid(url, 'has a fragment; write # in a path as %23')
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw invalid(url, 'names no local folder; write file:///folder', error)
  }
}

function createRootOf(url: URL): boolean {
  const create = urlParameters(url, ['create'], DRIVER).get('create') ?? 'true'
  if (create !== 'true' && create !== 'false')
    throw invalid(url, 'has a create that is neither true nor false')
  return create === 'true'
}

function invalid(url: URL, problem: string, cause?: unknown): StorageError {
  return new StorageError(`${redactUrl(url)} ${problem}`, {
    code: 'invalid-config',
    driver: DRIVER,
    operation: 'open',
    cause,
  })
}
