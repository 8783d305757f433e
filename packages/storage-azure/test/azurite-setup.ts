import { type Azurite, startAzurite } from '@sqlstream/testkit/servers'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    readonly azurite: Pick<Azurite, 'account' | 'accountKey' | 'url' | 'endpoint'>
  }
}

// It comes with the dependencies: there is no machine that may lack it.
let azurite: Azurite | undefined

export async function setup(project: TestProject): Promise<void> {
  azurite = await startAzurite()
  const { account, accountKey, url, endpoint } = azurite
  project.provide('azurite', { account, accountKey, url, endpoint })
}

export async function teardown(): Promise<void> {
  await azurite?.[Symbol.asyncDispose]()
}
