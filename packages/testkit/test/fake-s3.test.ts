import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { FakeS3, type S3ServiceOptions } from '../src/servers/index.ts'
import { readPayload } from '../src/servers/s3-payload.ts'
import { checkSignature } from '../src/servers/s3-signature.ts'

let fake: FakeS3 | undefined

afterEach(() => fake?.[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly body: string
  readonly headers: Headers
}

async function start(options?: S3ServiceOptions): Promise<void> {
  fake = await FakeS3.start(options)
}

async function send(
  method: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${fake!.url}/bucket/${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  return {
    status: response.status,
    code: /<Code>(.*?)<\/Code>/.exec(text)?.[1],
    body: text,
    headers: response.headers,
  }
}

async function upload(key: string, parts: readonly string[]): Promise<string> {
  const created = await send('POST', `${key}?uploads`)
  const id = /<UploadId>(.*?)</.exec(created.body)![1]!
  for (const [i, part] of parts.entries())
    await send('PUT', `${key}?uploadId=${id}&partNumber=${i + 1}`, part)
  return id
}

function complete(key: string, id: string, parts: readonly string[], headers = {}): Promise<Answer> {
  const names = parts.map((part, i) => {
    const etag = createHash('md5').update(part).digest('hex')
    return `<Part><PartNumber>${i + 1}</PartNumber><ETag>&quot;${etag}&quot;</ETag></Part>`
  })
  return send(
    'POST',
    `${key}?uploadId=${id}`,
    `<CompleteMultipartUpload>${names.join('')}</CompleteMultipartUpload>`,
    headers,
  )
}

describe('conditions', () => {
  const absent = { 'if-none-match': '*' }
  const stale = { 'if-match': '"0123"' }

  test('are those of AWS', async () => {
    await start({ minPartBytes: 1 })
    expect(await send('PUT', 'a', 'x', absent)).toMatchObject({ status: 200 })
    expect(await send('PUT', 'a', 'y', absent)).toMatchObject({ status: 412, code: 'PreconditionFailed' })
    expect(await send('PUT', 'a', 'y', stale)).toMatchObject({ status: 412 })
    expect(await send('PUT', 'b', 'y', stale)).toMatchObject({ status: 404, code: 'NoSuchKey' })
    expect(await send('PUT', 'a', 'y', { 'if-none-match': 'x' })).toMatchObject({ status: 501 })
    const etag = (await send('HEAD', 'a')).headers.get('etag')!
    expect(await send('PUT', 'a', 'y', { 'if-match': etag.replaceAll('"', '') })).toMatchObject({
      status: 200,
    })
    expect(await send('DELETE', 'a', undefined, stale)).toMatchObject({ status: 412 })
    const id = await upload('a', ['1', '2'])
    expect(await complete('a', id, ['1', '2'], absent)).toMatchObject({ status: 412 })
    expect(await complete('a', id, ['1', '2'])).toMatchObject({ status: 200 })
    const copy = { 'x-amz-copy-source': '/bucket/a' }
    expect(await send('PUT', 'a', undefined, { ...copy, ...absent })).toMatchObject({ status: 412 })
    const staleSource = { ...copy, 'x-amz-copy-source-if-match': 'x' }
    expect(await send('PUT', 'c', undefined, staleSource)).toMatchObject({ status: 412 })
    expect(await send('GET', 'a')).toMatchObject({ status: 200, body: '12' })
    expect(await send('GET', 'a', undefined, stale)).toMatchObject({ status: 412 })
    const now = (await send('HEAD', 'a')).headers.get('etag')!
    expect(await send('GET', 'a', undefined, { 'if-none-match': now })).toMatchObject({ status: 304 })
    expect(await send('DELETE', 'a', undefined, { 'if-match': now })).toMatchObject({ status: 204 })
  })

  test('of weaker services are ignored, refused, or honoured by PutObject alone', async () => {
    await start({ conditions: 'ignored', minPartBytes: 1 })
    await send('PUT', 'a', 'x', absent)
    expect(await send('PUT', 'a', 'y', absent)).toMatchObject({ status: 200 })
    await fake![Symbol.asyncDispose]()
    await start({ conditions: 'refused' })
    expect(await send('PUT', 'a', 'x', absent)).toMatchObject({ status: 501, code: 'NotImplemented' })
    await fake![Symbol.asyncDispose]()
    await start({ conditions: 'put-only', minPartBytes: 1 })
    await send('PUT', 'a', 'x', absent)
    expect(await send('PUT', 'a', 'y', absent)).toMatchObject({ status: 412 })
    const id = await upload('a', ['1', '2'])
    expect(await complete('a', id, ['1', '2'], absent)).toMatchObject({ status: 200 })
  })
})

test('an upload keeps its rules: sizes, order, ETags, one end', async () => {
  await start()
  const big = 'x'.repeat(5 << 20)
  const small = await upload('a', ['1', '2'])
  expect(await complete('a', small, ['1', '2'])).toMatchObject({ status: 400, code: 'EntityTooSmall' })
  expect(await complete('a', small, ['3', '2'])).toMatchObject({ status: 400, code: 'InvalidPart' })
  expect(await complete('b', small, ['1'])).toMatchObject({ status: 404, code: 'NoSuchUpload' })
  expect(await send('GET', 'a')).toMatchObject({ status: 404, code: 'NoSuchKey' })
  const id = await upload('a', [big, 'end'])
  expect(await complete('a', id, [big, 'end'])).toMatchObject({ status: 200 })
  expect(await complete('a', id, [big, 'end'])).toMatchObject({ status: 404, code: 'NoSuchUpload' })
  expect((await send('HEAD', 'a')).headers.get('etag')).toMatch(/^"[0-9a-f]{32}-2"$/)
  expect((await send('GET', 'a', undefined, { range: 'bytes=-4' })).body).toBe('xend')
  expect([...fake!.bucket('bucket').uploads.keys()]).toEqual([small])
  expect(await send('DELETE', `a?uploadId=${small}`)).toMatchObject({ status: 204 })
  expect(await send('DELETE', `a?uploadId=${small}`)).toMatchObject({ status: 404 })
})

test('listings are in byte order, go on after 1,000 keys, and fold at a delimiter', async () => {
  await start()
  const { objects } = fake!.bucket('bucket')
  const object = { bytes: Buffer.from('x'), etag: '"e"', modified: new Date(0), headers: {} }
  const keys = Array.from({ length: 1500 }, (_, i) => `f${i % 2}/${String(i).padStart(4, '0')}`)
  for (const key of keys) objects.set(key, object)
  const keysOf = (body: string) => [...body.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key)
  const first = await send('GET', '?list-type=2')
  const token = /<NextContinuationToken>(.*?)</.exec(first.body)![1]
  const second = await send('GET', `?list-type=2&continuation-token=${token}`)
  expect([...keysOf(first.body), ...keysOf(second.body)]).toEqual(keys.sort())
  expect(second.body).toContain('<IsTruncated>false<')
  const folded = await send('GET', '?list-type=2&delimiter=/')
  expect(folded.body).toContain(
    '<CommonPrefixes><Prefix>f0/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>f1/</Prefix>',
  )
  fake!.plan([{ request: 'ListObjectsV2', at: 1, fault: { kind: 'stale' } }])
  await send('PUT', 'new', 'x')
  expect(keysOf((await send('GET', '?list-type=2&prefix=new')).body)).toEqual([])
  expect(keysOf((await send('GET', '?list-type=2&prefix=new')).body)).toEqual(['new'])
})

test('a batch of deletes needs a digest and tells of single failures', async () => {
  await start({ undeletable: new Set(['b']) })
  for (const key of ['a', 'b', 'c']) await send('PUT', key, 'x')
  const body =
    '<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Quiet>true</Quiet></Delete>'
  expect(await send('POST', '?delete', body)).toMatchObject({ status: 400, code: 'InvalidRequest' })
  const md5 = createHash('md5').update(body).digest('base64')
  const answer = await send('POST', '?delete', body, { 'content-md5': md5 })
  expect(answer.body).toContain('<Error><Key>b</Key><Code>AccessDenied</Code>')
  expect([...fake!.bucket('bucket').objects.keys()]).toEqual(['b', 'c'])
})

test('bodies are checked: MD5, CRC32, SHA-256, length', async () => {
  await start()
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32('hello'))
  expect(await send('PUT', 'a', 'hello', { 'content-md5': 'x' })).toMatchObject({ code: 'BadDigest' })
  const good = { 'x-amz-checksum-crc32': crc.toString('base64') }
  expect(await send('PUT', 'a', 'hello', good)).toMatchObject({ status: 200 })
  expect(await send('PUT', 'a', 'jello', good)).toMatchObject({ code: 'BadDigest' })
  expect(await send('PUT', 'a', 'x', { 'x-amz-checksum-crc32c': 'AAAAAA==' })).toMatchObject({ status: 501 })
  const sha256 = createHash('sha256').update('hello').digest('hex')
  expect(await send('PUT', 'a', 'hello', { 'x-amz-content-sha256': sha256 })).toMatchObject({ status: 200 })
  expect(await send('PUT', 'a', 'jello', { 'x-amz-content-sha256': sha256 })).toMatchObject({
    code: 'XAmzContentSHA256Mismatch',
  })
})

test('unsigned chunks with a trailing checksum are put together', async () => {
  await start()
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32('hello world'))
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-decoded-content-length': '11',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  }
  const chunks = (trailer: string) => `6\r\nhello \r\n5\r\nworld\r\n0\r\n${trailer}\r\n`
  const trailer = `x-amz-checksum-crc32:${crc.toString('base64')}\r\n`
  expect(await send('PUT', 'a', chunks(trailer), headers)).toMatchObject({ status: 200 })
  expect((await send('GET', 'a')).body).toBe('hello world')
  expect(await send('PUT', 'a', chunks(''), headers)).toMatchObject({ code: 'MalformedTrailerError' })
  expect(await send('PUT', 'a', '6\r\nhell', headers)).toMatchObject({ code: 'IncompleteBody' })
  const wrong = chunks('x-amz-checksum-crc32:AAAAAA==\r\n')
  expect(await send('PUT', 'a', wrong, headers)).toMatchObject({ code: 'BadDigest' })
})

describe('signatures', () => {
  // The example of the S3 documentation for a body of signed chunks.
  const rules = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
    now: new Date('2013-05-24T00:00:00Z'),
  }
  const chunk = (size: number, signature: string) =>
    `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`
  const body = Buffer.from(
    chunk(65536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648') +
      chunk(1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497') +
      chunk(0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'),
  )
  const target = '/examplebucket/chunkObject.txt'
  const request = {
    method: 'PUT',
    target,
    url: new URL(target, 'http://s3'),
    body,
    headers: {
      host: 's3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      'content-length': '66824',
    },
  }

  test('are those of the documentation, of the request and of each chunk', () => {
    const signature = checkSignature(request, rules)
    expect(readPayload(request, signature).bytes.equals(Buffer.alloc(66560, 'a'))).toBe(true)
    const changed = Buffer.from(body)
    changed[200] = 98
    expect(() => readPayload({ ...request, body: changed }, signature)).toThrow("a chunk's PAYLOAD")
  })

  test.each([
    [{ ...rules, secretAccessKey: 'other' }, 'SignatureDoesNotMatch'],
    [{ ...rules, accessKeyId: 'other' }, 'InvalidAccessKeyId'],
    [{ ...rules, region: 'eu-west-1' }, 'AuthorizationHeaderMalformed'],
    [{ ...rules, now: new Date('2013-05-24T00:16:00Z') }, 'RequestTimeTooSkewed'],
  ])('are refused under other rules (%#)', (others, code) => {
    expect(() => checkSignature(request, others)).toThrow(expect.objectContaining({ code }))
  })

  test('are needed, and cover the headers of S3', async () => {
    await start({ credentials: rules })
    expect(await send('GET', 'a')).toMatchObject({ status: 403, code: 'AccessDenied' })
    const more = { ...request, headers: { ...request.headers, 'x-amz-acl': 'public-read' } }
    expect(() => checkSignature(more, rules)).toThrow(/not signed: x-amz-acl/)
  })
})

test('a bucket that does not exist, and an operation that the fake has not', async () => {
  await start({ buckets: ['other'] })
  expect(await send('GET', 'a')).toMatchObject({ status: 404, code: 'NoSuchBucket' })
  expect(await send('PATCH', 'a')).toMatchObject({ status: 404 })
  await fake![Symbol.asyncDispose]()
  await start()
  expect(await send('PATCH', 'a')).toMatchObject({ status: 501, code: 'NotImplemented' })
})
