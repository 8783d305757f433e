import { peerOrReason } from '@sqlstream/testkit'
import { FakeGCS } from '@sqlstream/testkit/servers'
import { afterAll, expect, test } from 'vitest'
import { describeLitestream } from './litestream-cases.ts'

const litestream = await peerOrReason('litestream-cli')
const fake = await FakeGCS.start()
afterAll(() => fake[Symbol.asyncDispose]())

describeLitestream('our fake', fake.url)

test('both write the time of a file in one place and form', (context) => {
  if ('reason' in litestream) return context.skip(litestream.reason)
  const bucket = fake.bucket('bucket')
  for (const prefix of ['ours', 'theirs']) {
    const names = bucket.names().filter((name) => name.startsWith(`${prefix}/ltx/`))
    expect(names.length).toBeGreaterThan(1)
    for (const name of names) {
      expect(bucket.find(name)!.resource.metadata, name).toEqual({
        'litestream-timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z$/),
      })
    }
  }
})
