import { describeConformance } from '@sqlstream/storage-conformance'
import { freePort, serverOrReason, startFakeGCSServer } from '@sqlstream/testkit/servers'
import { afterAll, describe, it } from 'vitest'
import { openStore } from './fake-store.ts'
import { describeLitestream } from './litestream-cases.ts'

const server = await serverOrReason('fake-gcs-server', startFakeGCSServer)
const closed = `http://127.0.0.1:${await freePort()}`

describe.skipIf('reason' in server)(
  `fake-gcs-server${'reason' in server ? `: ${server.reason}` : ''}`,
  () => {
    if ('reason' in server) return
    afterAll(() => server[Symbol.asyncDispose]())
    describeConformance({ describe, it }, 'GCSStore on fake-gcs-server', {
      open: async () => openStore(server.url),
      openMissing: async () => openStore(server.url, { bucket: 'missing' }),
      openUnreachable: async () => openStore(closed),
    })
    describeLitestream('fake-gcs-server', server.url)
  },
)
