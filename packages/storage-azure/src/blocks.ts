import type { BlockBlobClient } from '@azure/storage-blob'
import { type BlobBody, bodyParts, partSize } from '@sqlstream/storage'
import type { RequestContext, Requests } from './requests.ts'

/** Blocks on their way at once: with the one that is being filled, four in memory. */
const PARALLEL_BLOCKS = 3
/** 50,000 blocks are allowed: with this largest one 3 TiB. Larger ones only cost memory. */
const MAX_BLOCK_SIZE = 64 * 2 ** 20

/** A reading of a body in parts, which can be ended from outside. */
export interface Reading {
  readonly parts: AsyncGenerator<Uint8Array, void>
  readonly stop: AbortController
  /** Aborts with the caller's and with `stop`. */
  readonly signal: AbortSignal
  /** Takes a part back whose memory nobody uses any more, for a later part. */
  readonly reuse: (part: Uint8Array) => void
}

/** Starts to read a body in parts of the size of blocks. */
export function readParts(body: BlobBody, signal: AbortSignal | undefined): Reading {
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const sizeOf = (n: number): number => Math.min(partSize(n), MAX_BLOCK_SIZE)
  // Large arrays become garbage faster than it is collected: without this a long upload holds three times what it needs.
  const free: Uint8Array[] = []
  const allocate = (size: number): Uint8Array => {
    const part = free.pop()
    return part?.length === size ? part : new Uint8Array(size)
  }
  const parts = bodyParts(body, { sizeOf, allocate, signal: either })
  return { parts, stop, signal: either, reuse: (part) => void free.push(part) }
}

/** Blocks that the service holds; no blob yet. */
export interface Blocks {
  readonly ids: readonly string[]
  /** Bytes of all. */
  readonly size: number
}

/**
 * Sends parts as blocks, some at once, each until the service has it. A block that cannot be sent ends the reading. Nothing runs any
 * more when this settles.
 * @param ahead parts that were read before; taken out one by one, so that they are not held in memory
 */
export async function stageBlocks(
  blob: BlockBlobClient,
  requests: Requests,
  context: RequestContext,
  { parts, stop, signal, reuse }: Reading,
  ahead: Uint8Array[] = [],
): Promise<Blocks> {
  // Blocks belong to the name, not to the upload: those of two writers must not be taken for each other.
  const upload = crypto.randomUUID()
  const ids: string[] = []
  const running = new Set<Promise<void>>()
  let size = 0

  async function send(part: Uint8Array): Promise<void> {
    const id = btoa(`${upload}-${String(ids.length).padStart(5, '0')}`)
    ids.push(id)
    size += part.length
    let tries = 0
    const task = requests
      .repeated({ ...context, signal, bytes: part.length }, async (abortSignal) => {
        tries += 1
        await blob.stageBlock(id, part, part.length, { abortSignal })
      })
      // A request that was given up may still read its memory.
      .then(() => (tries === 1 ? reuse(part) : undefined))
      .catch((error: unknown) => stop.abort(error))
      .finally(() => running.delete(task))
    running.add(task)
    if (running.size >= PARALLEL_BLOCKS) await Promise.race(running)
  }

  try {
    for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) await send(part)
    for await (const part of parts) await send(part)
  } catch (error) {
    stop.abort(error)
  }
  await parts.return()
  await Promise.all(running)
  stop.signal.throwIfAborted()
  return { ids, size }
}
