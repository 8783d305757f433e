import { describeConformance, runConformance } from '@sqlstream/storage-conformance'
import { describe, expect, it } from 'vitest'
import { WebDAVStore } from '../src/index.ts'
import { withServer } from './servers.ts'

for (const name of ['lighttpd', 'Apache', 'nginx'] as const) {
  await withServer(name, (server) => {
    describeConformance({ describe, it }, name, {
      open: () => WebDAVStore.open({ url: `${server.url}/backup/app` }),
      openMissing: () => WebDAVStore.open({ url: `${server.url}/missing`, createRoot: false }),
      manyKeys: name === 'lighttpd' ? 1005 : 150,
    })
  })
}

// What it cannot do is listed here and in the README; all else it must.
await withServer('rclone', (server, test) => {
  test('rclone keeps the BlobStore contract but for the moment in which an object is replaced', async () => {
    const failed: string[] = []
    let passed = 0
    for await (const { test: name, outcome } of runConformance({
      open: () => WebDAVStore.open({ url: `${server.url}/backup/app` }),
      manyKeys: 100,
    })) {
      if (outcome === 'passed') passed += 1
      if (outcome === 'failed') failed.push(name)
    }
    // Its MOVE removes the old object before it renames the new one: readers see the old, none, or the new.
    expect(failed.filter((name) => !name.startsWith('S27: readers beside a writer'))).toEqual([])
    expect(passed).toBeGreaterThan(40)
  })
})
