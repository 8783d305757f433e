import { randomUUID } from 'node:crypto'
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { AZURE_DIALECT, FaultyHttpServer, type HttpRequest, proxyTo } from '@sqlstream/testkit/servers'
import { afterAll, beforeAll, inject, type ProvidedContext } from 'vitest'
import type { AzureStoreOptions } from '../src/index.ts'

/** Azurite, which all tests share, and a proxy before it that follows a plan of faults, of this file. */
export interface AzuriteForTests {
  readonly azurite: ProvidedContext['azurite']
  readonly proxy: Pick<FaultyHttpServer, 'url' | 'plan' | 'traffic'>
  /** The most requests that were at the server at once since the last call. */
  most(): number
  /** Runs before the next request of this name goes on from the proxy. */
  before(name: string, hook: () => Promise<unknown>): void
  /** A new container. */
  container(): Promise<string>
  /** Options that open a container, at the server itself unless another address is given. */
  options(container: string, url?: string): AzureStoreOptions
  /** The SDK's own client, to look at what is there. */
  client(container: string): ContainerClient
}

export function azuriteForTests(): AzuriteForTests {
  const azurite = inject('azurite')
  let proxy: FaultyHttpServer | undefined
  let hook: { readonly name: string; readonly run: () => Promise<unknown> } | undefined
  let running = 0
  let most = 0

  beforeAll(async () => {
    const service = proxyTo(azurite.url, AZURE_DIALECT)
    async function handle(request: HttpRequest, stale: boolean) {
      running += 1
      most = Math.max(most, running)
      try {
        if (hook?.name === service.nameOf(request)) {
          const { run } = hook
          hook = undefined
          await run()
        }
        return await service.handle(request, stale)
      } finally {
        running -= 1
      }
    }
    proxy = await FaultyHttpServer.start({ ...service, handle })
  })
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
  })

  function client(name: string): ContainerClient {
    const credential = new StorageSharedKeyCredential(azurite.account, azurite.accountKey)
    return new ContainerClient(`${azurite.endpoint}/${name}`, credential)
  }
  return {
    azurite,
    proxy: {
      get url() {
        return proxy!.url
      },
      plan: (rules) => proxy!.plan(rules),
      traffic: (name) => proxy!.traffic(name),
    },
    most() {
      const before = most
      most = running
      return before
    },
    before(name, run) {
      hook = { name, run }
    },
    async container() {
      const name = `test-${randomUUID()}`
      await client(name).create()
      return name
    },
    options: (container, url = azurite.url) => ({
      container,
      account: azurite.account,
      accountKey: azurite.accountKey,
      endpoint: `${url}/${azurite.account}`,
    }),
    client,
  }
}
