import { toTXID } from '@sqlstream/ltx'
import type { ReadReplica } from '@sqlstream/read-replica'
import { openReplica } from '@sqlstream/read-replica/web'
import { MemoryStore } from '@sqlstream/storage'
import type { GoldenList } from './page.ts'

/** What a page read from a golden replica. */
export interface ReplicaReport {
  readonly isolated: boolean
  readonly error?: string
  /** By TXID: what `sqlstream_txid()` says, the number of objects in the schema, and the integrity check. */
  readonly states: readonly (readonly [string, number, string])[]
  readonly refused: string
  readonly requests: number
}

Object.assign(globalThis, { report: readGolden() })

async function readGolden(): Promise<ReplicaReport> {
  const isolated = globalThis.crossOriginIsolated
  const nothing = { isolated, states: [], refused: '', requests: 0 }
  try {
    const { store, urls } = await copyGolden()
    const isXhr = location.search === '?xhr'
    // Fewer pages than the database has, so that some are asked for again.
    await using replica = await openReplica({
      store,
      poll: false,
      cache: { bytes: 0 },
      ...(isXhr && { bridge: 'xhr', urlOf: (key: string) => urls.get(key) ?? '/nowhere' }),
      worker: () => new Worker('/replica-worker.js', { type: 'module' }),
    })
    const states: [string, number, string][] = []
    for (let txid = 1n; txid <= replica.position.txid; txid++) {
      await using past = await replica.asOf({ txid: toTXID(txid) })
      states.push(await stateOf(past))
    }
    const refused = await replica.all('CREATE TABLE x (a)').catch((error: Error) => error.message)
    return { isolated, states, refused: String(refused), requests: replica.stats().requests }
  } catch (error) {
    return { ...nothing, error: String(error) }
  }
}

async function stateOf(replica: ReadReplica): Promise<[string, number, string]> {
  const row = await replica.get<{ txid: string; n: number }>(
    'SELECT sqlstream_txid() AS txid, (SELECT count(*) FROM sqlite_schema) AS n',
  )
  const [check] = await replica.all('PRAGMA integrity_check')
  return [row?.txid ?? '', row?.n ?? -1, String(check?.['integrity_check'])]
}

async function copyGolden(): Promise<{ store: MemoryStore; urls: Map<string, string> }> {
  const urls = new Map<string, string>()
  const { files } = (await (await fetch('/golden.json')).json()) as GoldenList
  const store = new MemoryStore()
  for (const { name } of files) {
    const response = await fetch(`/golden/${name}`)
    const key = name.replace(/^replica\//, '')
    urls.set(key, `${location.origin}/golden/${name}`)
    await store.put(key, new Uint8Array(await response.arrayBuffer()))
  }
  return { store, urls }
}
