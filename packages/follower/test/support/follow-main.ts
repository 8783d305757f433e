// A follower in a process of its own that applies what is there and ends, or dies at a failpoint. Arguments: one JSON object.
import { Replica } from '@sqlstream/replica'
import { adoptRestored } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { type Failpoint, openFollower } from '../../src/index.ts'

/** What the parent asks for. */
export interface FollowArguments {
  readonly store: string
  readonly file: string
  /** Where to die, at which passing. */
  readonly dieAt?: { readonly failpoint: Failpoint; readonly passing: number }
  /** Make it a database of its own in the end. */
  readonly promote?: boolean
}

const { store, file, dieAt, promote } = JSON.parse(process.argv[2] as string) as FollowArguments
let left = dieAt?.passing ?? 0
await using follower = await openFollower({
  replica: new Replica(new FileStore(store)),
  file,
  poll: false,
  failpoint: (name) => {
    if (name === dieAt?.failpoint && --left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
await follower.catchUp()
if (promote) {
  await follower.promote(async (image) => {
    const result = { ...image, proven: true, bytesRead: 0, pagesKept: image.commit }
    await adoptRestored(file, result, { head: image.pos.txid })
  })
}
