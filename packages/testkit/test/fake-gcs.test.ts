import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { FakeGCS, type GCSServiceOptions } from '../src/servers/index.ts'

let fake: FakeGCS

afterEach(() => fake[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of a service
  readonly json: any
}

async function start(options?: GCSServiceOptions): Promise<void> {
  fake = await FakeGCS.start(options)
}

async function send(
  method: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const url = path.startsWith('http') ? path : fake.url + path
  const response = await fetch(url, {
    method,
    headers,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const json = text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined
  return { status: response.status, headers: response.headers, text, json }
}

const O = '/storage/v1/b/bucket/o'
const UPLOAD = '/upload/storage/v1/b/bucket/o'

function insert(name: string, bytes: string, query = '', metadata: object = {}): Promise<Answer> {
  const body = `--x\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ name, ...metadata })}\r\n--x\r\n\r\n${bytes}\r\n--x--\r\n`
  const headers = { 'content-type': 'multipart/related; boundary=x' }
  return send('POST', `${UPLOAD}?uploadType=multipart${query}`, body, headers)
}

async function resumable(name: string, bytes: string, query = ''): Promise<Answer> {
  const started = await send('POST', `${UPLOAD}?uploadType=resumable&name=${name}${query}`, '{}')
  if (started.status !== 200) return started
  const range = `bytes 0-${bytes.length - 1}/${bytes.length}`
  return send('PUT', started.headers.get('location')!, bytes, { 'content-range': range })
}

async function generationOf(name: string): Promise<string> {
  return (await send('GET', `${O}/${name}`)).json.generation
}

describe('the ten conditions', () => {
  test('generation 0 creates and is refused where there is an object, in one request and in a session', async () => {
    await start()
    expect((await insert('a', '1', '&ifGenerationMatch=0')).status).toBe(200)
    expect(await insert('a', '2', '&ifGenerationMatch=0')).toMatchObject({
      status: 412,
      json: { error: { code: 412, errors: [{ reason: 'conditionNotMet' }] } },
    })
    expect((await resumable('b', '1', '&ifGenerationMatch=0')).status).toBe(200)
    expect((await resumable('b', '2', '&ifGenerationMatch=0')).status).toBe(412)
    expect((await send('GET', `${O}/a?alt=media`)).text).toBe('1')
    expect((await send('GET', `${O}/b?alt=media`)).text).toBe('1')
  })

  test('a session checks again when its object appears', async () => {
    await start()
    const started = await send('POST', `${UPLOAD}?uploadType=resumable&name=a&ifGenerationMatch=0`, '{}')
    await insert('a', 'quicker')
    const end = await send('PUT', started.headers.get('location')!, 'late', {
      'content-range': 'bytes 0-3/4',
    })
    expect(end.status).toBe(412)
    expect((await send('GET', `${O}/a?alt=media`)).text).toBe('quicker')
  })

  test('the right generation replaces; a stale one, and one of no object, are 412', async () => {
    await start()
    const first = (await insert('a', '1')).json.generation as string
    expect((await insert('a', '2', `&ifGenerationMatch=${first}`)).status).toBe(200)
    expect((await insert('a', '3', `&ifGenerationMatch=${first}`)).status).toBe(412)
    expect((await resumable('a', '3', `&ifGenerationMatch=${first}`)).status).toBe(412)
    expect((await insert('none', '1', `&ifGenerationMatch=${first}`)).status).toBe(412)
    expect((await insert('a', '3', '&ifGenerationMatch=x')).status).toBe(400)
  })

  test('reads, deletes, patches and rewrites have them too', async () => {
    await start()
    const generation = (await insert('a', '1')).json.generation as string
    expect((await send('GET', `${O}/a?ifGenerationNotMatch=${generation}`)).status).toBe(304)
    expect((await send('GET', `${O}/a?ifGenerationMatch=1`)).status).toBe(412)
    expect((await send('PATCH', `${O}/a?ifMetagenerationMatch=2`, '{}')).status).toBe(412)
    const patch = await send('PATCH', `${O}/a?ifMetagenerationMatch=1`, '{"metadata":{"x":"y"}}')
    expect(patch.json).toMatchObject({ generation, metageneration: '2', metadata: { x: 'y' } })
    const rewrite = `${O}/a/rewriteTo/b/bucket/o/b?ifGenerationMatch=0`
    expect((await send('POST', `${rewrite}&ifSourceGenerationMatch=1`)).status).toBe(412)
    expect((await send('POST', rewrite)).json).toMatchObject({ done: true, resource: { name: 'b' } })
    expect((await send('POST', rewrite)).status).toBe(412)
    expect((await send('DELETE', `${O}/a?ifGenerationMatch=1`)).status).toBe(412)
    expect((await send('DELETE', `${O}/a?ifGenerationMatch=${generation}`)).status).toBe(204)
    expect((await send('DELETE', `${O}/a`)).status).toBe(404)
  })

  test.each([
    ['one request', insert],
    ['a session', resumable],
  ])('of twenty at once one wins, by %s', async (_, put) => {
    await start()
    for (let round = 0; round < 5; round++) {
      const condition = `&ifGenerationMatch=${round === 0 ? 0 : await generationOf('a')}`
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => put('a', `${i}`, condition)))
      const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []))
      expect(winners).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(19)
      expect((await send('GET', `${O}/a?alt=media`)).text).toBe(`${winners[0]}`)
    }
  })
})

test('bytes that have not the hash that was sent are stored by no way of uploading', async () => {
  await start()
  const md5 = createHash('md5').update('right').digest('base64')
  expect((await insert('a', 'right', '', { md5Hash: md5, crc32c: 'bg/TZg==' })).json.error.message).toMatch(
    /CRC32C/,
  )
  expect((await insert('a', 'wrong', '', { md5Hash: md5 })).json).toMatchObject({ error: { code: 400 } })
  const started = await send('POST', `${UPLOAD}?uploadType=resumable&name=a`, '{}')
  const headers = { 'content-range': 'bytes 0-4/5', 'x-goog-hash': `md5=${md5}` }
  expect((await send('PUT', started.headers.get('location')!, 'wrong', headers)).status).toBe(400)
  expect((await send('GET', `${O}/a`)).status).toBe(404)
  expect((await insert('a', 'right', '', { md5Hash: md5 })).status).toBe(200)
  // The check value of CRC-32C.
  expect((await insert('b', '123456789')).json.crc32c).toBe('4waSgw==')
})

test('a session keeps whole blocks, says what it has, and answers again when it is complete', async () => {
  await start({ sessionTakesAtMost: 300_000 })
  const block = 256 * 1024
  const started = await send('POST', `${UPLOAD}?uploadType=resumable&name=a`, '{"metadata":{"k":"v"}}')
  const address = started.headers.get('location')!
  expect((await send('PUT', address, '', { 'content-range': 'bytes */*' })).headers.get('range')).toBe(null)
  const part = new Uint8Array(block + 10)
  const put = await send('PUT', address, part, { 'content-range': `bytes 0-${part.length - 1}/*` })
  expect([put.status, put.headers.get('range')]).toEqual([308, `bytes=0-${block - 1}`])
  // A hole is not made, what is there is not stored twice.
  const hole = await send('PUT', address, 'x', {
    'content-range': `bytes ${block + 1}-${block + 1}/${block + 2}`,
  })
  expect([hole.status, hole.headers.get('range')]).toEqual([308, `bytes=0-${block - 1}`])
  const end = { 'content-range': `bytes ${block - 1}-${block + 1}/${block + 2}` }
  expect((await send('PUT', address, 'xyz', end)).json).toMatchObject({
    size: `${block + 2}`,
    metadata: { k: 'v' },
  })
  const again = await send('PUT', address, '', { 'content-range': `bytes */${block + 2}` })
  expect(again.json).toMatchObject({ name: 'a', size: `${block + 2}` })
  fake.loseSessions()
  expect((await send('PUT', address, '', { 'content-range': 'bytes */*' })).status).toBe(404)
})

test('a listing is in byte order, in pages, by prefix, delimiter, offsets and fields', async () => {
  await start()
  for (const name of ['a/1', 'a/2', 'a-b', 'b', 'é', 'z']) await insert(name, name)
  const names = async (query: string) => {
    const { json } = await send('GET', `${O}?${query}`)
    return [
      ...((json.items ?? []) as { name: string }[]).map((item) => item.name),
      ...((json.prefixes ?? []) as string[]),
    ]
  }
  expect(await names('')).toEqual(['a-b', 'a/1', 'a/2', 'b', 'z', 'é'])
  expect(await names('prefix=a/')).toEqual(['a/1', 'a/2'])
  expect(await names('delimiter=/')).toEqual(['a-b', 'b', 'z', 'é', 'a/'])
  expect(await names('startOffset=a/2&endOffset=z')).toEqual(['a/2', 'b'])
  const page = await send('GET', `${O}?maxResults=2&fields=nextPageToken,items(name)`)
  expect(page.json.items).toEqual([{ name: 'a-b' }, { name: 'a/1' }])
  const next = await send(
    'GET',
    `${O}?maxResults=4&pageToken=${page.json.nextPageToken}&fields=items(name,size)`,
  )
  expect(next.json).toEqual({
    items: ['a/2', 'b', 'z', 'é'].map((name) => ({ name, size: `${Buffer.byteLength(name)}` })),
  })
  expect((await send('GET', `${O}?fields=items(`)).status).toBe(400)
})

test('a download has the version, the hashes and ranges; a gzip is unpacked for those who do not accept it', async () => {
  await start()
  const { json } = await insert('a', '0123456789')
  const whole = await send('GET', `${O}/a?alt=media`)
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    'x-goog-generation': json.generation,
    'x-goog-hash': `crc32c=${json.crc32c},md5=${json.md5Hash}`,
    'x-goog-stored-content-length': '10',
  })
  const range = async (value: string) => {
    const { status, text } = await send('GET', '/bucket/a', undefined, { range: value })
    return status === 206 ? text : status
  }
  expect(
    await Promise.all(
      ['bytes=2-4', 'bytes=8-', 'bytes=8-99', 'bytes=-3', 'bytes=-99', 'bytes=10-'].map(range),
    ),
  ).toEqual(['234', '89', '89', '789', '0123456789', 416])
  const packed = new Uint8Array(gzipSync('text'))
  const headers = { 'content-type': 'text/plain' }
  await send('POST', `${UPLOAD}?uploadType=media&name=z`, packed, headers)
  await send('POST', `${UPLOAD}?uploadType=resumable&name=y`, '{"contentEncoding":"gzip"}').then(
    ({ headers }) =>
      send('PUT', headers.get('location')!, packed, {
        'content-range': `bytes 0-${packed.length - 1}/${packed.length}`,
      }),
  )
  expect((await send('GET', `${O}/y?alt=media`, undefined, { 'accept-encoding': 'identity' })).text).toBe(
    'text',
  )
  expect((await send('GET', `${O}/z?alt=media`)).headers.get('content-encoding')).toBe(null)
})

test('a bucket that is not there, a wrong token, a misspelt parameter and an unknown call are refused', async () => {
  await start({ token: 'right', buckets: ['other'] })
  const headers = { authorization: 'Bearer right' }
  expect((await send('GET', `${O}`, undefined, { authorization: 'Bearer wrong' })).status).toBe(401)
  expect((await send('GET', `${O}`, undefined, headers)).json.error.message).toMatch(/bucket does not exist/)
  const other = '/storage/v1/b/other'
  expect((await send('GET', other, undefined, headers)).json.name).toBe('other')
  expect((await send('GET', `${other}/o?ifGenerationMatchs=1`, undefined, headers)).status).toBe(400)
  expect((await send('PUT', `${other}/o`, undefined, headers)).status).toBe(404)
})

test('a stale answer is that before the last change', async () => {
  await start()
  await insert('a', '1')
  await insert('b', '1')
  fake.plan([{ fault: { kind: 'stale' } }])
  expect((await send('GET', `${O}?fields=items(name)`)).json).toEqual({ items: [{ name: 'a' }] })
  expect((await send('GET', `${O}/b`)).status).toBe(404)
  fake.plan()
  await send('DELETE', `${O}/a`)
  fake.plan([{ fault: { kind: 'stale' } }])
  expect((await send('GET', `${O}?fields=items(name)`)).json.items).toHaveLength(2)
})
