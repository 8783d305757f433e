import { request } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FaultyHttpServer, type HttpFault, HttpFaultPlan } from '../src/servers/index.ts'

let handled: string[] = []
let server: FaultyHttpServer

beforeEach(async () => {
  handled = []
  server = await FaultyHttpServer.start({
    nameOf: ({ method }) => (method === 'PUT' ? 'Write' : 'Read'),
    handle: ({ method, body }, stale) => {
      handled.push(method)
      return { status: 200, body: stale ? 'old' : `${handled.length}:${body}` }
    },
    refuse: (_, status, code) => ({ status, body: `refused ${code}` }),
  })
})

afterEach(() => server[Symbol.asyncDispose]())

async function send(method = 'GET', body?: string, signal?: AbortSignal): Promise<string> {
  const response = await fetch(server.url, {
    method,
    ...(signal && { signal }),
    ...(body === undefined ? {} : { body }),
  })
  return `${response.status} ${await response.text()}`
}

test.each<[HttpFault, string | RegExp, number]>([
  [{ kind: 'drop' }, /fetch failed/, 0],
  [{ kind: 'drop-answer' }, /fetch failed/, 1],
  [{ kind: 'refuse', status: 503, code: 'SlowDown' }, '503 refused SlowDown', 0],
  [{ kind: 'refuse-after', status: 500 }, '500 refused undefined', 1],
  [{ kind: 'cut', after: 2 }, /terminated/, 1],
  [{ kind: 'short', after: 2 }, '200 1:', 1],
  [{ kind: 'slow', bytes: 3, everyMs: 1 }, '200 1:hello', 1],
  [{ kind: 'twice' }, '200 2:hello', 2],
  [{ kind: 'stale' }, '200 old', 1],
])('%j', async (fault, outcome, times) => {
  const plan = server.plan([{ request: 'Write', at: 1, fault }])
  const sending = send('PUT', 'hello')
  if (typeof outcome === 'string') expect(await sending).toBe(outcome)
  else await expect(sending).rejects.toThrow(outcome)
  expect(handled).toHaveLength(times)
  expect(plan.fired).toBe(1)
  expect(await send('PUT', 'again')).toBe(`200 ${times + 1}:again`)
})

test.each<[HttpFault, number]>([
  [{ kind: 'hang' }, 0],
  [{ kind: 'hang-answer' }, 1],
  [{ kind: 'hang-body', after: 2 }, 1],
])('%j: until the client gives up', async (fault, times) => {
  const plan = server.plan([{ request: 'Write', at: 1, fault }])
  const patience = new AbortController()
  let hasEnded = false
  const sending = send('PUT', 'hello', patience.signal).finally(() => {
    hasEnded = true
  })
  sending.catch(() => undefined)
  await expect.poll(() => [plan.fired, handled.length], { timeout: 30_000 }).toEqual([1, times])
  // Another request is answered meanwhile, and this one is not.
  expect(await send('PUT', 'again')).toBe(`200 ${times + 1}:again`)
  expect(hasEnded).toBe(false)
  patience.abort(new Error('no more patience'))
  await expect(sending).rejects.toThrow('no more patience')
})

test('a rule counts the requests of its own name, and the first rule that fits decides', () => {
  const plan = new HttpFaultPlan([
    { request: 'Write', at: [2, 3], fault: { kind: 'drop' } },
    { at: 3, fault: { kind: 'hang' } },
    { request: 'Read', fault: { kind: 'stale' } },
  ])
  const names = ['Write', 'Read', 'Write', 'Read', 'Write', 'Write']
  expect(names.map((name) => plan.next(name)?.kind)).toEqual([
    undefined,
    'stale',
    'drop',
    'stale',
    'drop',
    undefined,
  ])
  expect(plan.fired).toBe(4)
})

test('traffic is counted by name since the plan was set', async () => {
  await send()
  server.plan()
  await send('PUT', 'hello')
  await send()
  expect(server.traffic('Write')).toEqual({ requests: 1, bytesIn: 5, bytesOut: 7 })
  expect(server.traffic()).toEqual({ requests: 2, bytesIn: 5, bytesOut: 9 })
  expect(server.traffic('Other')).toEqual({ requests: 0, bytesIn: 0, bytesOut: 0 })
})

test('a client that waits for leave to send its body gets it, or the fault first', async () => {
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const asking = request(server.url, { method: 'PUT', headers: { expect: '100-continue' } })
      asking.on('continue', () => asking.end('hello'))
      asking.on('response', (response) => resolve(String(response.statusCode)))
      asking.on('error', reject)
      asking.flushHeaders()
    })
  expect(await ask()).toBe('200')
  server.plan([{ fault: { kind: 'drop' } }])
  await expect(ask()).rejects.toThrow()
})
