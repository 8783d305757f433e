import { type BlobStore, getBytes, type Precondition } from '@sqlstream/storage'
import { someBytes, watchedBody } from './bytes.ts'
import { expectBytes, expectCode } from './expect.ts'

/** Puts bodies under way of which another writer takes the key: both preconditions must see it. */
export async function expectOvertaken(store: BlobStore, other: BlobStore, size: number): Promise<void> {
  const { etag } = await store.put('old', someBytes(10))
  const attempts: readonly [key: string, precondition: Precondition][] = [
    ['new', { kind: 'absent' }],
    ['old', { kind: 'match', etag }],
  ]
  for (const [key, precondition] of attempts) {
    const winner = someBytes(20, 3)
    const half = someBytes(size >> 1)
    const body = watchedBody({
      parts: [half, async () => void (await other.put(key, winner)), half],
      size: half.length * 2,
    })
    await expectCode(
      store.put(key, body, { precondition }),
      'precondition-failed',
      `a put of ${size} bytes with '${precondition.kind}' that another writer overtook`,
    )
    expectBytes(await getBytes(store, key), winner, `${key} of the writer who overtook`)
  }
}
