import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { HttpRequest } from './faulty-http-server.ts'
import { S3Failure } from './s3-failure.ts'
import { chunkSignature, type S3Signature } from './s3-signature.ts'

/** The bytes that a request stores, checked against everything that it says about them. */
export interface S3Payload {
  readonly bytes: Buffer
  /** Header names of the checksums that were there and right, as `x-amz-checksum-crc32`. */
  readonly checksums: ReadonlyMap<string, string>
}

const DIGESTS: Readonly<Record<string, (bytes: Uint8Array) => string>> = {
  'x-amz-checksum-crc32': (bytes) => {
    const buffer = Buffer.alloc(4)
    buffer.writeUInt32BE(crc32(bytes))
    return buffer.toString('base64')
  },
  'x-amz-checksum-sha1': (bytes) => createHash('sha1').update(bytes).digest('base64'),
  'x-amz-checksum-sha256': (bytes) => createHash('sha256').update(bytes).digest('base64'),
}

/**
 * Takes the chunk framing (`aws-chunked`) away and checks lengths, digests and chunk signatures.
 * @param signature of the request; undefined when nobody checks signatures
 * @throws S3Failure
 */
export function readPayload(request: HttpRequest, signature: S3Signature | undefined): S3Payload {
  const { headers } = request
  const mode = String(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD')
  const isChunked = mode.startsWith('STREAMING-')
  if (!isChunked && headers['content-encoding']?.includes('aws-chunked') === true)
    throw new S3Failure(400, 'InvalidRequest', 'aws-chunked without a streaming x-amz-content-sha256')
  const hasBody = request.method === 'PUT' || request.method === 'POST'
  if (hasBody && !isChunked && headers['transfer-encoding'] !== undefined)
    throw new S3Failure(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
  let bytes = request.body
  let trailers: Readonly<Record<string, string>> = {}
  if (isChunked) {
    const decoded = decodeChunks(request.body, mode.includes('HMAC') ? signature : undefined)
    bytes = decoded.bytes
    trailers = decoded.trailers
    const length = headers['x-amz-decoded-content-length']
    if (length === undefined) throw new S3Failure(411, 'MissingContentLength')
    if (Number(length) !== bytes.length) throw new S3Failure(400, 'IncompleteBody')
  } else if (mode !== 'UNSIGNED-PAYLOAD' && mode !== createHash('sha256').update(bytes).digest('hex')) {
    throw new S3Failure(400, 'XAmzContentSHA256Mismatch')
  }
  const md5 = headers['content-md5']
  if (md5 !== undefined && md5 !== createHash('md5').update(bytes).digest('base64'))
    throw new S3Failure(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.')
  return { bytes, checksums: checkDigests({ ...headers, ...trailers }, bytes) }
}

function checkDigests(headers: NodeJS.Dict<string | string[]>, bytes: Buffer): Map<string, string> {
  const checksums = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-checksum-') || /-(algorithm|mode|type)$/.test(name)) continue
    const digest = DIGESTS[name]
    if (digest === undefined) throw new S3Failure(501, 'NotImplemented', `The fake has no ${name}`)
    if (digest(bytes) !== value)
      throw new S3Failure(400, 'BadDigest', `The ${name} you specified did not match.`)
    checksums.set(name, value)
  }
  const promised = headers['x-amz-trailer']
  if (promised !== undefined && !checksums.has(String(promised)))
    throw new S3Failure(400, 'MalformedTrailerError')
  return checksums
}

function decodeChunks(
  body: Buffer,
  signature: S3Signature | undefined,
): { bytes: Buffer; trailers: Record<string, string> } {
  const chunks: Buffer[] = []
  let previous = signature
  let at = 0
  const check = (bytes: Uint8Array, given: string | undefined, what: 'PAYLOAD' | 'TRAILER'): void => {
    if (previous === undefined) return
    const expected = chunkSignature(previous, bytes, what)
    if (given !== expected) throw new S3Failure(403, 'SignatureDoesNotMatch', `of a chunk's ${what}`)
    previous = { ...previous, signature: expected }
  }
  for (;;) {
    const line = lineAt(body, at)
    at += line.length + 2
    const [, size, given] = /^([0-9a-fA-F]+)(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? []
    if (size === undefined) throw new S3Failure(400, 'IncompleteBody', 'a chunk has no size')
    const chunk = body.subarray(at, at + Number.parseInt(size, 16))
    check(chunk, given, 'PAYLOAD')
    at += chunk.length
    if (chunk.length === 0) break
    chunks.push(chunk)
    if (body.toString('latin1', at, at + 2) !== '\r\n') throw new S3Failure(400, 'IncompleteBody')
    at += 2
  }
  const trailers: Record<string, string> = {}
  for (let line = lineAt(body, at); line !== ''; line = lineAt(body, at)) {
    at += line.length + 2
    const colon = line.indexOf(':')
    const [name, value] = [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    if (name === 'x-amz-trailer-signature') {
      const signed = Object.entries(trailers).map(([key, text]) => `${key}:${text}\n`)
      check(Buffer.from(signed.join('')), value, 'TRAILER')
    } else trailers[name] = value
  }
  return { bytes: Buffer.concat(chunks), trailers }
}

function lineAt(body: Buffer, at: number): string {
  const end = body.indexOf('\r\n', at)
  if (end === -1) throw new S3Failure(400, 'IncompleteBody', 'the chunks do not end')
  return body.toString('latin1', at, end)
}
