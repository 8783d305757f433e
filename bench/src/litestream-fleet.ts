import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LitestreamCLI, LitestreamReplication } from '@sqlstream/testkit'
import { makeDatabases } from './fleet-databases.ts'

const PATIENCE_MS = 240_000

/** Many databases that Litestream replicates in one process, all of which are in their replicas. */
export interface LitestreamFleet {
  readonly replication: LitestreamReplication
  readonly databases: readonly string[]
  /** The folder of the replica of each. */
  readonly replicas: readonly string[]
  readonly startSeconds: number
}

/** Starts it with databases in its configuration, each with a replica of its own, and no limit of descriptors; or tells why it cannot be. */
export async function startLitestreamFleet(
  cli: LitestreamCLI,
  folder: string,
  count: number,
): Promise<LitestreamFleet | { readonly reason: string }> {
  const databases = makeDatabases(join(folder, 'data'), count)
  const replicas = databases.map((_, i) => join(folder, 'replica', String(i)))
  const config = join(folder, 'litestream.yml')
  const lines = databases.map((path, i) => `  - path: ${path}\n    replica: { url: "file://${replicas[i]}" }`)
  writeFileSync(config, `dbs:\n${lines.join('\n')}\n`)
  const began = performance.now()
  const replication = await cli.replicateConfigured(config)
  spawnSync('prlimit', ['--pid', String(replication.pid), '--nofile=1048576:1048576'])
  const givenUp = async (reason: string): Promise<{ reason: string }> => {
    await replication.kill()
    return { reason: `${count} databases, Litestream: ${reason}` }
  }
  let arrived = 0
  while (arrived < count) {
    if (existsSync(levelZero(replicas[arrived] as string))) arrived++
    else {
      if (performance.now() - began > PATIENCE_MS)
        return await givenUp(`${arrived} were in their replicas after ${PATIENCE_MS / 1000} s.`)
      if (!existsSync(`/proc/${replication.pid}`))
        return await givenUp(`it ended. ${replication.output.slice(-300)}`)
      await sleep(50)
    }
  }
  return { replication, databases, replicas, startSeconds: (performance.now() - began) / 1000 }
}

/** Where a replica of Litestream has what was captured last. */
export function levelZero(replica: string): string {
  return join(replica, 'ltx', '0')
}
