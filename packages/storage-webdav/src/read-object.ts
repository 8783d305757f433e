import { type BlobContent, createBody, discardBody, type GetOptions, resolveRange } from '@sqlstream/storage'
import { dateOf, type Resources } from './resources.ts'
import { type CallContext, failure, statusFailure } from './webdav-errors.ts'

/** An object may be replaced each time that it is opened; this often in a row it is not. */
const OPEN_ATTEMPTS = 20

/** Opens an object for reading, in one version on any server. */
export async function readObject(
  resources: Resources,
  key: string,
  options: GetOptions,
): Promise<BlobContent> {
  const { signal } = options
  const context: CallContext = { operation: 'get', key }
  for (let attempt = 1; ; attempt++) {
    const content = await openObject(resources, key, options)
    if (!resources.kind.getMayMix) return content
    try {
      // The server looked at the file before it opened it: only if that one is still there, it was the one that was opened.
      const found = await resources.find(context, key, { signal })
      if (found?.kind === 'file' && resources.info(key, found).etag === content.info.etag) return content
    } catch (error) {
      await discardBody(content.body)
      throw error
    }
    await discardBody(content.body)
    if (attempt === OPEN_ATTEMPTS) {
      throw failure(context, 'unavailable', 'the object was replaced each time that it was opened')
    }
  }
}

/** Also on servers that ignore ranges: what was not asked for is passed over. */
async function openObject(resources: Resources, key: string, options: GetOptions): Promise<BlobContent> {
  const { range, signal } = options
  const context: CallContext = { operation: 'get', key }
  const { http } = resources
  const headers = range === undefined ? {} : { range: rangeHeader(range) }
  const reply = await http.request(context, 'GET', resources.pathOf(key), { headers, signal })
  const { status, message } = reply
  const outside = (): Error =>
    failure(context, 'range-not-satisfiable', 'no byte of the object is in the range')
  try {
    if (status === 416) throw outside()
    if (status !== 200 && status !== 206) {
      // Many answers mean a collection, which is no object; servers differ.
      if (status === 404 || (await resources.find(context, key, { signal }))?.kind !== 'file')
        throw missing(context)
      throw statusFailure(context, 'GET', status)
    }
    const total = totalSize(status, message.headers)
    if (total === undefined) {
      const hint = 'The server must tell the length of files.'
      throw failure(context, 'unsupported', 'the answer to GET has no length', { hint })
    }
    const interval = resolveRange(range, total)
    if (interval === undefined) throw outside()
    const modified = dateOf(message.headers['last-modified']) ?? new Date(0)
    const info = { key, size: total, etag: resources.etagOf(message.headers.etag, modified, total), modified }
    const chunks = http.chunks(context, message, signal)
    let position = status === 206 ? interval.start : 0
    const body = createBody({
      async next() {
        for (;;) {
          signal?.throwIfAborted()
          if (position >= interval.end) return undefined
          const step = await chunks.next()
          if (step.done === true) {
            throw failure(context, 'unavailable', `the body ended at byte ${position} of ${interval.end}`)
          }
          const from = Math.max(0, interval.start - position)
          const to = interval.end - position
          position += step.value.length
          const chunk = step.value.subarray(from, to)
          // Memory of its own, because the reader may keep it.
          if (chunk.length > 0) return new Uint8Array(chunk)
        }
      },
      async close() {
        // At the end of the object the connection can be used again; a range may end before it.
        if (position >= interval.end) {
          const step = await chunks.next().catch(() => ({ done: false }))
          if (step.done === true) return
        }
        message.destroy()
      },
    })
    return { info, body }
  } catch (error) {
    message.destroy()
    throw error
  }
}

export function missing(context: CallContext): Error {
  return failure(context, 'not-found', `there is no object ${context.key}`)
}

function rangeHeader(range: NonNullable<GetOptions['range']>): string {
  if (range.suffix !== undefined) return `bytes=-${range.suffix}`
  const last = range.length === undefined ? '' : range.offset + range.length - 1
  return `bytes=${range.offset}-${last}`
}

function totalSize(status: number, headers: NodeJS.Dict<string | string[]>): number | undefined {
  const text =
    status === 206 ? /\/(\d+)$/.exec(String(headers['content-range']))?.[1] : headers['content-length']
  return text === undefined ? undefined : Number(text)
}
