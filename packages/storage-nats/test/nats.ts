import { randomUUID } from 'node:crypto'
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type ObjectStore, Objm } from '@nats-io/obj'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, inject } from 'vitest'
import { openNATSStore } from '../src/index.ts'

const found = inject('nats')

/** Why there is no server on this machine; undefined where there is. */
export const reason: string | undefined = 'reason' in found ? found.reason : undefined
/** `127.0.0.1:PORT`; empty where there is a `reason`. */
export const address: string = 'address' in found ? found.address : ''

let connection: NatsConnection | undefined
afterAll(() => connection?.close())

/** NATS's own client of object stores. */
export async function objectStores(): Promise<Objm> {
  connection ??= await connect({ servers: address, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  return new Objm(jetstream(connection))
}

/** A new bucket, and NATS's own view of it. */
export async function newBucket(): Promise<{ bucket: string; theirs: ObjectStore }> {
  const bucket = `test-${randomUUID()}`
  return { bucket, theirs: await (await objectStores()).create(bucket) }
}

/** The streams below. */
export async function streams(): Promise<JetStreamManager> {
  await objectStores()
  return jetstreamManager(connection!)
}

/** Messages in the stream of a bucket: those of chunks, and those that tell of objects. */
export async function messagesOf(bucket: string): Promise<{ chunks: number; metas: number }> {
  const jsm = await streams()
  const { state } = await jsm.streams.info(`OBJ_${bucket}`, { subjects_filter: '>' })
  const count = (kind: string): number =>
    Object.entries(state.subjects ?? {})
      .filter(([subject]) => subject.startsWith(`$O.${bucket}.${kind}.`))
      .reduce((sum, [, n]) => sum + n, 0)
  return { chunks: count('C'), metas: count('M') }
}

export const open = (bucket: string, options: { prefix?: string; timeoutMs?: number } = {}) =>
  openNATSStore({ servers: address, bucket, ...options })
