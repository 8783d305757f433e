import { expect, test } from 'vitest'
import { PartialMultistatus, parseMultistatus } from '../src/multistatus.ts'

const response = (href: string, properties: string, status = 'HTTP/1.1 200 OK'): string =>
  `<D:response><D:href>${href}</D:href><D:propstat><D:prop>${properties}</D:prop><D:status>${status}</D:status></D:propstat></D:response>`
const multistatus = (...responses: string[]): string =>
  `<?xml version="1.0"?>\n<D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>`

test('files and collections are read, whatever the server calls them', async () => {
  const xml = multistatus(
    response('/x/', '<D:resourcetype><D:collection/></D:resourcetype>'),
    response(
      'http://host:80/x/a%20b',
      '<lp1:resourcetype/><lp1:getcontentlength>5</lp1:getcontentlength><g:getetag>W/"5-6"</g:getetag><D:getlastmodified xmlns:ns0="urn:x" ns0:dt="dateTime.rfc1123">Fri, 27 Nov 2026 20:53:14 GMT</D:getlastmodified>',
    ),
  )
  expect(await parseMultistatus(xml)).toEqual([
    { path: '/x', isCollection: true, size: 0, modified: undefined, etag: undefined },
    {
      path: '/x/a b',
      isCollection: false,
      size: 5,
      modified: new Date('2026-11-27T20:53:14Z'),
      etag: 'W/"5-6"',
    },
  ])
})

test('properties with another status, and resources that vanished, are none', async () => {
  const xml = multistatus(
    response('/a', '<D:getetag>"1"</D:getetag>', 'HTTP/1.1 404 Not Found'),
    '<D:response><D:href>/b</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>',
  )
  expect(await parseMultistatus(xml)).toEqual([])
  expect(await parseMultistatus(multistatus())).toEqual([])
})

test('numbers stay text: an ETag of digits keeps its zeros', async () => {
  const [file] = await parseMultistatus(multistatus(response('/007', '<D:getetag>"0010"</D:getetag>')))
  expect(file).toMatchObject({ path: '/007', etag: '"0010"' })
})

test.each(['', '<html></html>', 'no XML', '{}'])('%j is no multistatus', async (text) => {
  await expect(parseMultistatus(text)).rejects.toThrow()
})

test('entities do not grow', async () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "${'x'.repeat(1000)}"><!ENTITY b "${'&a;'.repeat(1000)}">]>`
  const text = bomb + multistatus(response('/&b;', '')).replace('<?xml version="1.0"?>', '')
  const outcome = await parseMultistatus(text).catch(() => [])
  expect(JSON.stringify(outcome).length).toBeLessThan(100_000)
})

test.each([
  ['breaks off', (xml: string) => xml.slice(0, -10)],
  ['breaks off behind a resource', (xml: string) => xml.slice(0, xml.indexOf('</D:response>') + 13)],
  [
    'goes on behind its end, as that of rclone when a file vanishes',
    (xml: string) => `${xml}Internal Server Error`,
  ],
])('S10: an answer that %s is not taken for all there is', async (_, change) => {
  const xml = multistatus(
    response('/a', '<D:getetag>"1"</D:getetag>'),
    response('/b', '<D:getetag>"2"</D:getetag>'),
  )
  expect(await parseMultistatus(`${xml}\n`)).toHaveLength(2)
  await expect(parseMultistatus(change(xml))).rejects.toThrow(PartialMultistatus)
})

test('an answer without a resource may be one tag', async () => {
  expect(await parseMultistatus('<?xml version="1.0"?><multistatus xmlns="DAV:"/>')).toEqual([])
})
