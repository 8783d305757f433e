import { Replica } from '@sqlstream/replica'
import { withObserver } from '@sqlstream/storage'
import { SHARED_BYTES } from './bridge/shared-slots.ts'
import type { SqliteOrigin } from './engine/sqlite-module.ts'
import { EngineClient, type StartEngine } from './engine-client.ts'
import { type HydrateWith, Hydration } from './hydration/hydration.ts'
import type { OpenOptions } from './options.ts'
import { ReadReplica } from './read-replica.ts'
import { ReplicaCore } from './replica-core.ts'
import { FollowPlan } from './source/follow-plan.ts'
import { Follower } from './source/follower.ts'
import { ReplicaSource } from './source/replica-source.ts'

const CACHE_BYTES = 32 * 1024 * 1024

/** What a thread of SQLite needs besides what people say. */
export interface EngineSetting extends SqliteOrigin {
  /** Where an object is: then the thread of SQLite fetches by itself, without shared memory. */
  readonly urlOf?: ((key: string) => string) | undefined
}

/** Opens a backup over any kind of thread. `/node` and `/web` bring one. */
export async function openWith(
  start: StartEngine,
  options: OpenOptions & EngineSetting,
  hydrate?: HydrateWith,
): Promise<ReadReplica> {
  const { signal, at, poll, cache, maxLagMs } = options
  signal?.throwIfAborted()
  const source = sourceOf(options, (base) => client.tell({ type: 'forget', base }))
  const shared = options.urlOf ? undefined : new SharedArrayBuffer(SHARED_BYTES)
  const client: EngineClient = new EngineClient(start, shared, source)
  const core = new ReplicaCore(client, source, () => Date.now())
  try {
    const settings = {
      cacheBytes: cache?.bytes ?? CACHE_BYTES,
      readAhead: cache?.readAhead ?? {},
      shared,
      wasmUrl: options.wasmUrl,
      wasmModule: options.wasmModule,
    }
    // SQLite loads while the listing is on its way.
    const [session] = await Promise.all([core.openAt(at, { signal }), client.start(settings)])
    if (at) return new ReadReplica({ core, session })
    const polling = poll === false ? {} : (poll ?? {})
    const { intervalMs = 500 } = polling
    const follower: Follower = new Follower({
      source,
      plan: new FollowPlan(polling),
      session: session.number,
      adopt: (view) => {
        core.advance(session, view)
        replica.show(view.record)
      },
      now: core.now,
    })
    const replica: ReadReplica = new ReadReplica({
      core,
      session,
      follower,
      polls: poll !== false,
      intervalMs,
      maxLagMs,
      hydration: hydrate && new Hydration({ ...hydrate, replica: source.replica, intervalMs, now: core.now }),
    })
    return replica
  } catch (error) {
    await core.end()
    throw error
  }
}

function sourceOf(
  { store, replica, urlOf }: OpenOptions & EngineSetting,
  forget: (base: number) => void,
): ReplicaSource {
  const inner = replica?.store ?? store
  if (!inner) throw new TypeError('openReplica needs a store or a replica')
  const stats = { requests: 0, bytes: 0 }
  const counted = withObserver(inner, ({ bytes }) => {
    stats.requests++
    stats.bytes += bytes
  })
  return new ReplicaSource(
    new Replica(counted, replica ? { layout: replica.layout } : {}),
    stats,
    forget,
    urlOf,
  )
}
