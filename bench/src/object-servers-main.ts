// Emulators of object stores in a process of their own, so that their work is not in the figures. Tells where they are.
import { FakeGCS, FakeS3, startAzurite } from '@sqlstream/testkit/servers'

/** Where the emulators are. */
export interface ObjectServers {
  readonly s3: string
  readonly gcs: string
  readonly azure: { readonly account: string; readonly accountKey: string; readonly endpoint: string }
}

const [s3, gcs, { account, accountKey, endpoint }] = await Promise.all([
  FakeS3.start(),
  FakeGCS.start(),
  startAzurite(),
])
const servers: ObjectServers = { s3: s3.url, gcs: gcs.url, azure: { account, accountKey, endpoint } }
process.send?.(servers)
process.on('disconnect', () => process.exit())
