import type { ContainerClient, StoragePipelineOptions } from '@azure/storage-blob'
import {
  type AbortOptions,
  abortable,
  type BlobStore,
  type StorageDriver,
  withPrefix,
} from '@sqlstream/storage'
import { AzureStore } from './azure-store.ts'
import {
  type AzureStoreOptions,
  azureOptions,
  complete,
  invalid,
  isContainerName,
  SCHEMES,
} from './options.ts'
import { Requests } from './requests.ts'
import { DRIVER } from './service-errors.ts'

/** `abs://ACCOUNT@CONTAINER/PATH`; all of it in `azureOptions`. */
export const azureDriver: StorageDriver = {
  name: DRIVER,
  schemes: SCHEMES,
  open: async (url, options) =>
    openAzureStore(azureOptions(url, options?.environment ?? process.env), options),
}

/**
 * Opens a container. Loads the SDK, and that for identities only where no key and no SAS is given; sends nothing.
 * @throws StorageError 'invalid-config'
 * @throws RangeError when a number is out of its range
 */
export async function openAzureStore(
  options: AzureStoreOptions,
  { signal }: AbortOptions = {},
): Promise<BlobStore> {
  signal?.throwIfAborted()
  if (!isContainerName(options.container)) throw invalid('the container name is not one')
  const requests = new Requests({
    concurrency: options.concurrency ?? 64,
    timeoutMs: options.timeoutMs ?? 30_000,
    leastBytesPerSecond: options.leastBytesPerSecond ?? 65_536,
  })
  const container = await abortable(containerClient(options), signal)
  const store = new AzureStore(container, requests)
  return options.prefix ? withPrefix(store, options.prefix) : store
}

async function containerClient(options: AzureStoreOptions): Promise<ContainerClient> {
  const { endpoint, account, accountKey, sasToken } = complete(options)
  const { ContainerClient, StorageSharedKeyCredential } = await import('@azure/storage-blob')
  const url = `${endpoint}/${options.container}`
  const pipeline: StoragePipelineOptions = { retryOptions: { maxTries: 1 } }
  // A SAS is part of the URL.
  if (sasToken !== undefined) return new ContainerClient(`${url}?${sasToken}`, undefined, pipeline)
  if (accountKey !== undefined) {
    return new ContainerClient(url, new StorageSharedKeyCredential(account!, accountKey), pipeline)
  }
  if (options.credential !== undefined) return new ContainerClient(url, options.credential, pipeline)
  const { DefaultAzureCredential } = await import('@azure/identity')
  return new ContainerClient(url, new DefaultAzureCredential(), pipeline)
}
