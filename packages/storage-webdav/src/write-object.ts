import { setTimeout as sleep } from 'node:timers/promises'
import {
  abortable,
  type BlobBody,
  type BlobInfo,
  isStorageError,
  type Precondition,
  type PutOptions,
} from '@sqlstream/storage'
import { type Collections, parentOf } from './collections.ts'
import { tempName } from './hidden-names.ts'
import { DONE, type Resources } from './resources.ts'
import { retryCut } from './retry-cut.ts'
import { type CallContext, failure, statusFailure } from './webdav-errors.ts'

const ENSURE_ATTEMPTS = 5

/** What a body is written with. */
export interface WriteTarget {
  readonly resources: Resources
  readonly collections: Collections
  readonly context: CallContext
  readonly key: string
}

/** A PUT at the name itself, on servers where it is whole. `precondition` is left to the server. */
export async function putDirectly(
  target: WriteTarget,
  body: BlobBody,
  options: PutOptions,
): Promise<BlobInfo> {
  const { resources, context, key } = target
  const before = resources.kind.etagTick > 0 ? await waitForNewETag(target, body, options.signal) : undefined
  let { precondition } = options
  for (;;) {
    const etag = await put(target, key, body, { ...options, precondition })
    const info = await infoAfterPut(resources, context, key, etag)
    if (info.etag !== before) return info
    // The clock of a machine with too much to do may stand still for longer than a tick: then this version looks like the one before it.
    await pause(resources.kind.etagTick, options.signal)
    precondition = precondition && { kind: 'match', etag: info.etag }
  }
}

/** A PUT at a hidden name and a MOVE, so that readers see whole objects on any server whose MOVE is a rename. */
export async function putAside(
  target: WriteTarget,
  body: BlobBody,
  { signal }: PutOptions,
): Promise<BlobInfo> {
  const { resources, context, key } = target
  const parent = parentOf(key)
  const temp = parent === '' ? tempName() : `${parent}/${tempName()}`
  let isLeft = true
  try {
    for (;;) {
      const written = await retryCut(() => put(target, temp, body, { signal }), { signal }).then((etag) =>
        infoAfterPut(resources, context, temp, etag),
      )
      const before = await resources.find(context, key, { signal })
      // Some servers remove what is there with all that is in it.
      if (before?.kind === 'folder') await makeRoom(target)
      // Two versions of one size within a second may have one ETag: then the new one is written again, a second later.
      if (before?.kind === 'file' && resources.info(key, before).etag === written.etag) {
        await pause(1000, signal)
        continue
      }
      signal?.throwIfAborted()
      await moveOver(target, temp)
      isLeft = false
      return { ...written, key, ...(await versionAfterMove(target, written)) }
    }
  } finally {
    // Without the signal: an aborted put must not leave anything either. What cannot be removed now is for a sweep.
    if (isLeft) await resources.remove(context, temp).catch(() => {})
  }
}

/** A server may give another ETag or time to what it moved. */
async function versionAfterMove(
  { resources, context, key }: WriteTarget,
  written: BlobInfo,
): Promise<Partial<BlobInfo>> {
  const found = await resources.find(context, key)
  return found?.kind === 'file' && found.size === written.size ? resources.info(key, found) : {}
}

async function moveOver(target: WriteTarget, temp: string): Promise<void> {
  const { resources, context, key } = target
  let isDoubtful = false
  await retryCut(async () => {
    // An unanswered one may have been carried out; sent again, some servers would remove what it brought.
    if (isDoubtful && (await resources.find(context, temp)) === undefined) return
    for (let isSecond = false; ; isSecond = true) {
      const status = await resources.move(context, temp, key, { overwrite: true }).catch((error: unknown) => {
        isDoubtful = true
        throw error
      })
      if (DONE.has(status)) return
      if (isSecond || !(await makeRoom(target))) throw statusFailure(context, 'MOVE', status)
    }
  })
}

/** @returns the ETag, if the server tells it */
async function put(
  target: WriteTarget,
  key: string,
  body: BlobBody,
  { precondition, signal }: PutOptions,
): Promise<string | undefined> {
  const { resources, collections, context } = target
  const headers = { 'content-type': 'application/octet-stream', ...conditionHeaders(precondition) }
  for (let isSecond = false; ; isSecond = true) {
    await ensureParent(target, key)
    const reply = await resources.http.request(context, 'PUT', resources.pathOf(key), {
      headers,
      body,
      signal,
    })
    await resources.http.drain(context, reply, signal)
    const { status, message } = reply
    if (DONE.has(status)) return message.headers.etag
    if (status === 412 && precondition !== undefined) throw mismatch(precondition, context)
    if (isSecond || status === 401 || status === 403 || status === 507)
      throw statusFailure(context, 'PUT', status)
    // A collection has vanished, or stands where the object shall be: servers have many words for both.
    if (!(await makeRoom(target))) collections.forget()
  }
}

/** Collections can be taken away beside us, by a put that needs the name. */
async function ensureParent({ collections, context }: WriteTarget, key: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await collections.ensure(context, parentOf(key))
    } catch (error) {
      if (attempt === ENSURE_ATTEMPTS || !isStorageError(error, 'unavailable')) throw error
      collections.forget()
    }
  }
}

/** Takes an empty collection out of the way. @returns whether there was one @throws StorageError 'invalid-key' when it is not empty */
async function makeRoom({ resources, collections, context, key }: WriteTarget): Promise<boolean> {
  if ((await resources.find(context, key))?.kind !== 'folder') return false
  if (await collections.clear(context, key)) return true
  const hint = 'One key is a folder of another key; a folder cannot be both.'
  throw failure(context, 'invalid-key', `${key} is a folder`, { hint })
}

async function infoAfterPut(
  resources: Resources,
  context: CallContext,
  key: string,
  etag: string | undefined,
): Promise<BlobInfo> {
  const found = await resources.find(context, key)
  if (found?.kind !== 'file')
    throw failure(context, 'unavailable', 'the object was removed as soon as it was put')
  const info = resources.info(key, found)
  if (etag === undefined) return info
  // What is there may be the next writer's already.
  return { ...info, etag: resources.etagOf(etag, info.modified, info.size) }
}

/**
 * Where ETags are time and size, a version of the same size waits until the time of the one before it is over.
 * @returns the ETag of that one
 */
async function waitForNewETag(
  { resources, context, key }: WriteTarget,
  body: BlobBody,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const before = await resources.find(context, key, { signal })
  if (before?.kind !== 'file' || before.modified === undefined) return undefined
  const size = body instanceof Uint8Array ? body.length : body.size
  if (size !== undefined && size !== before.size) return undefined
  // Both by the server's clock.
  if (before.seen === undefined || before.seen.getTime() < before.modified.getTime() + 1000)
    await pause(resources.kind.etagTick, signal)
  return resources.info(key, before).etag
}

async function pause(etagTick: number, signal: AbortSignal | undefined): Promise<void> {
  await abortable(sleep(etagTick * 1.1), signal)
}

function conditionHeaders(precondition: Precondition | undefined): Record<string, string> {
  switch (precondition?.kind) {
    case undefined:
      return {}
    case 'absent':
      return { 'if-none-match': '*' }
    case 'match':
      return { 'if-match': precondition.etag }
  }
}

function mismatch(precondition: Precondition, context: CallContext): Error {
  const message =
    precondition.kind === 'absent' ? 'the object exists' : `the object is not version ${precondition.etag}`
  return failure(context, 'precondition-failed', message)
}
