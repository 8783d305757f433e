import type { ReadReplica } from '../../src/index.ts'

/** Resolves when a replica answers from its copy. Rejects with what keeps it from that. */
export async function hydrated(replica: ReadReplica): Promise<void> {
  if (replica.source === 'hydrated') return
  await new Promise<void>((resolve, reject) => {
    replica.on('hydrated', () => resolve())
    replica.on('error', reject)
  })
}

/** The next error that a replica tells. */
export function nextError(replica: ReadReplica): Promise<unknown> {
  return new Promise((resolve) => replica.on('error', resolve))
}
