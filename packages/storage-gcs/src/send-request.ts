import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'

/** A request as it goes out. */
export interface OutgoingRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly agent: http.Agent
}

/** An answer whose body is still to come. */
export interface IncomingAnswer {
  readonly status: number
  /** @param name in lower case */
  header(name: string): string | undefined
  readonly data: IncomingMessage
  /** Ends the request: closes its connection, unless the body was read to its end. */
  close(): void
}

/**
 * Sends a request and resolves with the beginning of the answer. An abort ends it. What comes after that, aborts too, is the
 * caller's matter: by `close`.
 */
export async function sendRequest(outgoing: OutgoingRequest, signal: AbortSignal): Promise<IncomingAnswer> {
  const { url, method, headers, body, agent } = outgoing
  signal.throwIfAborted()
  const length = method === 'GET' ? {} : { 'content-length': String(body?.length ?? 0) }
  const send = url.protocol === 'https:' ? https.request : http.request
  const request = send(url, { method, headers: { ...headers, ...length }, agent })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const onAbort = (): void => {
    request.destroy(new Error('aborted'))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  // Both stay: a connection may also break later, and without a listener that would end the process.
  request.on('error', reject)
  request.on('response', (response) => {
    response.on('error', () => {})
    resolve(response)
  })
  request.end(body)
  try {
    const data = await promise
    const close = (): void => {
      request.destroy()
    }
    const header = (name: string): string | undefined => data.headers[name]?.toString()
    return { status: data.statusCode ?? 0, header, data, close }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
