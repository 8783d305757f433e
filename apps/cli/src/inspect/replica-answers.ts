import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type BlobInfo, isStorageError, resolveRange, type StorageErrorCode } from '@sqlstream/storage'
import { describeFailure } from '../failure.ts'
import type { NamedReplica } from '../open-replica.ts'
import { parseRange } from './byte-range.ts'

/** The statuses that say what a store says; the page turns them back. */
const STATUS: Partial<Record<StorageErrorCode, number>> = {
  'not-found': 404,
  'invalid-key': 404,
  'permission-denied': 403,
  'range-not-satisfiable': 416,
  'rate-limited': 429,
  timeout: 503,
  unavailable: 503,
}

/** A question about the replica. */
export interface Question {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborts when whoever asked has gone, or the server ends. */
  readonly signal: AbortSignal
}

/** What is there: each object that is one of the replica's, and its name for people. */
export async function answerList(
  named: NamedReplica,
  { request, response, signal }: Question,
): Promise<void> {
  const objects: unknown[] = []
  for await (const { key, size, etag, modified } of named.store.list({ signal })) {
    objects.push({ key, size, etag: quoted(etag), modified: modified.toISOString() })
  }
  const { layout } = named.replica
  const body = JSON.stringify({ source: named.location.display, layout, objects })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** An object, or the range of it that is asked for. */
export async function answerObject(named: NamedReplica, key: string, question: Question): Promise<void> {
  const { request, response, signal } = question
  if (request.method === 'HEAD') {
    const info = await named.store.head(key, { signal })
    response.writeHead(200, { ...headersOf(info), 'content-length': info.size }).end()
    return
  }
  const range = parseRange(request.headers.range)
  const { info, body } = await named.store.get(key, { range, signal })
  const part = resolveRange(range, info.size) ?? { start: 0, end: info.size }
  response.writeHead(range ? 206 : 200, {
    ...headersOf(info),
    'content-length': part.end - part.start,
    ...(range && { 'content-range': `bytes ${part.start}-${part.end - 1}/${info.size}` }),
  })
  await pipeline(Readable.from(body), response, { signal })
}

/** Why not, as JSON; what was begun is broken off instead, so that nobody takes it for whole. */
export function answerFailure({ response }: Pick<Question, 'response'>, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { exit: _, ...failure } = describeFailure(error)
  const status = isStorageError(error) ? (STATUS[error.code] ?? 500) : 500
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: failure }))
}

function headersOf({ etag, modified }: BlobInfo): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: quoted(etag),
    'last-modified': modified.toUTCString(),
  }
}

/** A version may hold what a header must not. */
function quoted(etag: string): string {
  return `"${encodeURIComponent(etag)}"`
}
