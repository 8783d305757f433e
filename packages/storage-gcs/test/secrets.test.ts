import { inspect } from 'node:util'
import { discardBody } from '@sqlstream/storage'
import { FakeGCS, type HttpFault } from '@sqlstream/testkit/servers'
import { afterAll, expect, test } from 'vitest'
import { openStore } from './fake-store.ts'

const token = 'ya29.secret-canary'
const fake = await FakeGCS.start({ token })
afterAll(() => fake[Symbol.asyncDispose]())

const FAULTS: readonly HttpFault[] = [
  { kind: 'drop' },
  { kind: 'hang' },
  { kind: 'cut', after: 10 },
  { kind: 'short', after: 3 },
  { kind: 'refuse', status: 400, code: 'invalid' },
  { kind: 'refuse', status: 401, code: 'authError' },
  { kind: 'refuse', status: 403, code: 'forbidden' },
  { kind: 'refuse', status: 404, code: 'notFound' },
  { kind: 'refuse', status: 412, code: 'conditionNotMet' },
  { kind: 'refuse', status: 500 },
]

/** Everything that a log, a debugger or a reporter might make of a value. */
function everything(value: unknown): string {
  const json = JSON.stringify(value, (_, each: unknown) =>
    each instanceof Error ? { ...each, stack: each.stack, message: each.message, cause: each.cause } : each,
  )
  return [inspect(value, { depth: 20, showHidden: true, getters: true }), String(value), json].join('\n')
}

test.each(FAULTS)('no token is in an error of %o, nor in the store', async (fault) => {
  await using store = openStore(fake.url, { token, limitMs: 50, partSize: 2 ** 18 })
  fake.bucket('bucket').write('a', Buffer.alloc(100), {}, new URLSearchParams())
  fake.plan([{ fault }])
  const absent = { precondition: { kind: 'absent' } } as const
  const calls = [
    () => store.put('a', new Uint8Array(10)),
    () => store.put('b', new Uint8Array(10), absent),
    () => store.put('c', new Uint8Array(2 ** 19), absent),
    () => store.head('a'),
    () => store.get('a').then(({ body }) => discardBody(body)),
    () => store.list().next(),
    () => store.delete(['a']),
  ]
  const outcomes = await Promise.allSettled(calls.map((call) => call()))
  const errors = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []))
  expect(errors.length).toBeGreaterThan(2)
  for (const seen of [store, ...errors]) expect(everything(seen)).not.toContain('secret-canary')
})

test('the token that is looked for was sent', async () => {
  fake.plan()
  await using wrong = openStore(fake.url, { token: `${token}-of-another` })
  const error: unknown = await wrong.head('a').catch((e: unknown) => e)
  expect(error).toMatchObject({ code: 'permission-denied', hint: expect.stringContaining('gcloud auth') })
  expect(everything(error)).not.toContain('secret-canary')
  await using right = openStore(fake.url, { token })
  await expect(right.head('none')).rejects.toMatchObject({ code: 'not-found' })
})
