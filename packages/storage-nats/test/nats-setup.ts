import { type NATSServer, serverOrReason, startNATS } from '@sqlstream/testkit/servers'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the server of all tests is, or why there is none on this machine. */
    readonly nats: { readonly address: string } | { readonly reason: string }
  }
}

let server: NATSServer | undefined

export async function setup(project: TestProject): Promise<void> {
  const found = await serverOrReason('nats-server', startNATS)
  if ('reason' in found) return project.provide('nats', { reason: found.reason })
  server = found
  project.provide('nats', { address: found.address })
}

export async function teardown(): Promise<void> {
  await server?.[Symbol.asyncDispose]()
}
