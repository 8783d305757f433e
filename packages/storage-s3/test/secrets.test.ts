import { inspect } from 'node:util'
import { FakeS3, type HttpFault } from '@sqlstream/testkit/servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { S3Store } from '../src/index.ts'
import { localOptions } from './conformance-options.ts'

const SECRETS = {
  secretAccessKey: 'canary/secret+access=key',
  sessionToken: 'canary-session-token',
  customerKey: Buffer.from('canary-customer-key-of-32-bytes!').toString('base64'),
}

let fake: FakeS3
beforeAll(async () => {
  fake = await FakeS3.start({ minPartBytes: 1000 })
})
afterAll(() => fake[Symbol.asyncDispose]())

/** Everything that a log, a debugger or a reporter might make of a value. */
function everything(value: unknown): string {
  const texts = [
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    String(value),
    JSON.stringify(value, (_, each: unknown) =>
      each instanceof Error ? { ...each, stack: each.stack, message: each.message, cause: each.cause } : each,
    ),
  ]
  return texts.join('\n')
}

test('no secret is in any error, nor in the store itself', async () => {
  const credentials = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: SECRETS.secretAccessKey,
    sessionToken: SECRETS.sessionToken,
  }
  const encryption = { kind: 'customer', key: SECRETS.customerKey } as const
  const retry = { attempts: 1 }
  const options = localOptions(fake.url, { credentials, encryption, partSize: 1000, timeoutMs: 200, retry })
  await using store = await S3Store.open({ ...options, conditionalComplete: true })
  const seen = [everything(store)]
  const absent = { precondition: { kind: 'absent' } } as const
  const faults: HttpFault[] = [
    { kind: 'drop' },
    { kind: 'hang' },
    { kind: 'cut', after: 10 },
    { kind: 'refuse', status: 403, code: 'SignatureDoesNotMatch' },
    { kind: 'refuse', status: 400, code: 'ExpiredToken' },
    { kind: 'refuse', status: 501, code: 'NotImplemented' },
    { kind: 'refuse', status: 500 },
  ]
  for (const fault of faults) {
    fake.plan([{ fault }])
    for (const call of [
      () => store.put('a', new Uint8Array(10)),
      () => store.put('a', new Uint8Array(10), absent),
      () => store.put('a', new Uint8Array(3500), absent),
      () => store.head('a'),
      () => store.get('a'),
      () => store.list().next(),
      () => store.delete(['a', 'b']),
    ]) {
      seen.push(everything(await call().catch((error: unknown) => error)))
    }
  }
  expect(seen).toHaveLength(1 + faults.length * 7)
  for (const text of seen) {
    for (const secret of [...Object.values(SECRETS), 'canary-customer-key', 'AWS4-HMAC-SHA256'])
      expect(text).not.toContain(secret)
  }
})
