import { withPrefix } from '@sqlstream/storage'
import { describeConformance } from '@sqlstream/storage-conformance'
import { FakeGCS, freePort } from '@sqlstream/testkit/servers'
import { afterAll, describe, it } from 'vitest'
import { openStore } from './fake-store.ts'

const token = 'ya29.canary-of-the-conformance-tests'
const fake = await FakeGCS.start({ token })
afterAll(() => fake[Symbol.asyncDispose]())
const closed = `http://127.0.0.1:${await freePort()}`

describeConformance({ describe, it }, 'GCSStore', {
  open: async () => openStore(fake.url, { token }),
  openMissing: async () => openStore(fake.url, { token, bucket: 'missing' }),
  openDenied: async () => openStore(fake.url, { token: `${token}-revoked` }),
  openUnreachable: async () => openStore(closed, { token }),
  secrets: [token],
})
describeConformance({ describe, it }, 'GCSStore below a prefix', {
  open: async () => withPrefix(openStore(fake.url, { token }), 'a/b-c/'),
  openMissing: async () => withPrefix(openStore(fake.url, { token, bucket: 'missing' }), 'a/'),
  // Pages and parts are proven above.
  manyKeys: 20,
  largeBytes: 1000,
})
