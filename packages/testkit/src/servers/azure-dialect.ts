import type { HttpReply, HttpRequestHead } from './faulty-http-server.ts'
import type { HttpDialect } from './http-proxy.ts'

/** The requests of a blob service by the names of its manual, and errors as it words them. */
export const AZURE_DIALECT: HttpDialect = {
  nameOf({ method, url, headers }: HttpRequestHead): string {
    const comp = url.searchParams.get('comp')
    if (comp === 'block') return 'Put Block'
    if (comp === 'blocklist') return 'Put Block List'
    if (comp === 'list') return 'List Blobs'
    if (headers['x-ms-copy-source'] !== undefined) return 'Copy Blob From URL'
    if (url.searchParams.has('restype')) return `${method} container`
    return (
      { PUT: 'Put Blob', GET: 'Get Blob', HEAD: 'Get Blob Properties', DELETE: 'Delete Blob' }[method] ??
      method
    )
  },
  refuse(_request: HttpRequestHead, status: number, code = 'InternalError'): HttpReply {
    return {
      status,
      headers: { 'x-ms-error-code': code, 'content-type': 'application/xml' },
      body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>Refused by plan.\nRequestId:0</Message></Error>`,
    }
  },
}
