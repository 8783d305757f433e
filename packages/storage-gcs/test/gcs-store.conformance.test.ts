import { withPrefix } from '@sqlstream/storage'
import { describeConformance } from '@sqlstream/storage-conformance'
import { FakeGCS, freePort } from '@sqlstream/testkit/servers'
import { afterAll, describe, it } from 'vitest'
import { openStore } from './fake-store.ts'

const token = 'ya29.canary-of-the-conformance-tests'
/** The least that the service allows; `requests.test.ts` and fake-gcs-server have parts of the real size. */
const partSize = 2 ** 18
const fake = await FakeGCS.start({ token })
afterAll(() => fake[Symbol.asyncDispose]())
const closed = `http://127.0.0.1:${await freePort()}`

describeConformance({ describe, it }, 'GCSStore', {
  open: async () => openStore(fake.url, { token, partSize }),
  openMissing: async () => openStore(fake.url, { token, bucket: 'missing' }),
  openDenied: async () => openStore(fake.url, { token: `${token}-revoked` }),
  openUnreachable: async () => openStore(closed, { token }),
  secrets: [token],
  largeBytes: 2 * partSize + 5,
})
describeConformance({ describe, it }, 'GCSStore below a prefix', {
  open: async () => withPrefix(openStore(fake.url, { token, partSize }), 'a/b-c/'),
  openMissing: async () => withPrefix(openStore(fake.url, { token, bucket: 'missing' }), 'a/'),
  // Pages and parts are proven above.
  manyKeys: 20,
  largeBytes: 1000,
})
