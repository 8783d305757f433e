import { readdirSync, readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseRange } from '../src/inspect/byte-range.ts'
import { inspect } from '../src/inspect/inspect-schema.ts'
import { App } from './support/app.ts'
import { type CLIProcess, runCLI, startCLI } from './support/run-cli.ts'

const folder = new TempFolder('inspect')
const backup = folder.join('backup')
const SNAPSHOT = 'ltx/9/0000000000000001-0000000000000001.ltx'
let cli: CLIProcess
let url = ''

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Asks without what a browser adds or forbids. */
function ask(
  address: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(address, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      )
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

beforeAll(async () => {
  using app = new App(folder.join('app.db'))
  app.commit(20)
  expect((await runCLI(['replicate', app.path, backup, '--once'])).status).toBe(0)
  app.commit()
  expect((await runCLI(['replicate', app.path, backup, '--once'])).status).toBe(0)
  cli = startCLI(['inspect', backup])
  url = await cli.line(/^http/)
})

afterAll(async () => {
  cli.child.kill('SIGINT')
  const { status, stderr } = await cli.result
  await folder.remove()
  // Ctrl-C is how it ends.
  expect([status, stderr]).toEqual([0, ''])
})

describe('sqlstream inspect', () => {
  test('listens on this machine alone, below a secret', () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{24}\/$/)
  })

  test('serves the page, isolated, with a policy that lets it talk to nobody else', async () => {
    const { status, headers, body } = await ask(url)
    expect(status).toBe(200)
    expect(body.toString()).toContain('<meta name="sqlstream-replica" content="replica/"')
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
    expect(headers['content-security-policy']).not.toMatch(
      /unsafe-inline|unsafe-eval'(?<!wasm-unsafe-eval')|https?:|\*/,
    )
    const scripts = [...body.toString().matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => path)
    expect(scripts.length).toBeGreaterThan(1)
    for (const path of scripts) expect((await ask(url + path)).status).toBe(200)
    expect((await ask(`${url}sqlite3.wasm`)).headers['content-type']).toBe('application/wasm')
  })

  test('lists what the replica has', async () => {
    const { headers, body } = await ask(`${url}replica/list`)
    expect(headers['content-type']).toBe('application/json')
    const offer = JSON.parse(body.toString()) as {
      source: string
      layout: string
      objects: { key: string; size: number }[]
    }
    expect(offer).toMatchObject({ source: backup, layout: 'plain' })
    for (const { key, size } of offer.objects) expect(size).toBe(statSync(join(backup, key)).size)
    expect(offer.objects.map(({ key }) => key)).toContain(SNAPSHOT)
  })

  test('gives whole files, ranges of them, and what a file is', async () => {
    const bytes = readFileSync(join(backup, SNAPSHOT))
    const address = `${url}replica/object/${SNAPSHOT}`
    const whole = await ask(address)
    expect(whole.status).toBe(200)
    expect(whole.body.equals(bytes)).toBe(true)
    const range = async (text: string): Promise<[number, string, unknown]> => {
      const { status, body, headers } = await ask(address, { headers: { range: text } })
      return [status, body.toString('hex'), headers['content-range']]
    }
    const size = bytes.length
    const hex = (from: number, to: number): string => bytes.subarray(from, to).toString('hex')
    expect(await range('bytes=0-99')).toEqual([206, hex(0, 100), `bytes 0-99/${size}`])
    expect(await range('bytes=-16')).toEqual([
      206,
      hex(size - 16, size),
      `bytes ${size - 16}-${size - 1}/${size}`,
    ])
    expect(await range(`bytes=${size - 3}-`)).toEqual([
      206,
      hex(size - 3, size),
      `bytes ${size - 3}-${size - 1}/${size}`,
    ])
    expect(await range(`bytes=${size - 2}-${size + 50}`)).toEqual([
      206,
      hex(size - 2, size),
      `bytes ${size - 2}-${size - 1}/${size}`,
    ])
    expect((await range(`bytes=${size}-`))[0]).toBe(416)
    const head = await ask(address, { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, String(size), 0])
    expect(head.headers['etag']).toBe(whole.headers['etag'])
  })

  test('says that an object is not there, with a code', async () => {
    const { status, body } = await ask(`${url}replica/object/ltx/0/none.ltx`)
    expect(status).toBe(404)
    expect(JSON.parse(body.toString())).toMatchObject({ error: { code: 'not-found' } })
  })

  test.each(['../app.db', '..%2fapp.db', '%2e%2e/app.db', 'ltx/../../app.db', '/etc/passwd', ''])(
    'gives nothing outside of the replica: %s',
    async (path) => {
      const { port } = new URL(url)
      const secret = new URL(url).pathname
      // As it is: URL would tidy it up.
      const answer = await new Promise<Answer>((resolve, reject) => {
        request({ host: '127.0.0.1', port, path: `${secret}replica/object/${path}` }, (response) => {
          response.resume()
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: {}, body: Buffer.alloc(0) }),
          )
        })
          .on('error', reject)
          .end()
      })
      expect(answer.status).toBe(404)
    },
  )

  test('knows nobody without the secret, and no other name', async () => {
    const { origin, pathname, port } = new URL(url)
    for (const path of ['/', '/replica/list', `${pathname.slice(0, -2)}x/`, `/x${pathname}`]) {
      expect((await ask(origin + path)).status).toBe(404)
    }
    expect((await ask(url, { headers: { host: `evil.example:${port}` } })).status).toBe(404)
    expect((await ask(url, { headers: { host: `127.0.0.1:${port}` } })).status).toBe(200)
  })

  test.each(['PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'])('refuses %s', async (method) => {
    const before = readdirSync(backup, { recursive: true }).sort()
    const { status, headers } = await ask(`${url}replica/object/${SNAPSHOT}`, { method })
    expect([status, headers['allow']]).toEqual([405, 'GET, HEAD'])
    expect(readdirSync(backup, { recursive: true }).sort()).toEqual(before)
  })

  test('says that its port is taken', async () => {
    const { port } = new URL(url)
    const { status, stderr } = await runCLI(['inspect', backup, '--port', port])
    expect(status).toBe(5)
    expect(stderr).toMatch(
      /^error: another process listens at 127\.0\.0\.1:\d+ \(address-in-use\)\nhint: .*\n$/,
    )
  })

  test('says that there is no backup, before it serves anything', async () => {
    const { status, stdout, stderr } = await runCLI(['inspect', folder.join('nowhere')])
    expect([status, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/\(no-backup\)/)
  })

  test('a port that is none is a wrong use', async () => {
    expect((await runCLI(['inspect', backup, '--port', '70000'])).status).toBe(2)
  })
})

test('with --json the address is one line of JSON', async () => {
  const started = startCLI(['inspect', backup, '--json'])
  const line = await started.line(/^\{/)
  started.child.kill('SIGTERM')
  const { status, stdout } = await started.result
  expect(status).toBe(0)
  expect(stdout).toBe(`${line}\n`)
  expect(inspect.parse(JSON.parse(line))).toMatchObject({ source: backup })
})

test.each([
  ['bytes=0-0', { offset: 0, length: 1 }],
  ['bytes=5-', { offset: 5 }],
  ['bytes=-7', { suffix: 7 }],
  ['bytes=-0', undefined],
  ['bytes=-', undefined],
  ['bytes=9-5', undefined],
  ['bytes=0-1,3-4', undefined],
  ['items=0-1', undefined],
  [undefined, undefined],
])('the range %s is %o', (header, range) => {
  expect(parseRange(header)).toEqual(range)
})
