import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { runProgram } from '@sqlstream/testkit'
import { FaultyHttpServer, type HttpService } from '@sqlstream/testkit/servers'
import { expect, test } from 'vitest'

const MIB = 1 << 20
const SIZE = 1024

/** Takes uploads and keeps none of their bytes. */
class DiscardingS3 implements HttpService {
  bytes = 0
  parts = 0

  nameOf = ({ method }: { readonly method: string }): string => method

  refuse = (_: unknown, status: number) => ({ status })

  handle({ method, url, body }: Parameters<HttpService['handle']>[0]) {
    if (method === 'POST' && url.searchParams.has('uploads'))
      return { status: 200, body: '<Result><UploadId>one</UploadId></Result>' }
    if (method === 'POST') return { status: 200, body: '<Result><ETag>"whole"</ETag></Result>' }
    if (url.searchParams.has('partNumber')) {
      this.parts += 1
      this.bytes += body.length
    }
    return { status: 200, headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` } }
  }
}

test('an upload of 1 GB without a known size takes less than 100 MB of memory', async () => {
  const service = new DiscardingS3()
  await using server = await FaultyHttpServer.start(service)
  const script = join(import.meta.dirname, 'upload-process.ts')
  const args = ['--conditions=@sqlstream/source', script, server.url, String(SIZE)]
  const { stdout } = await runProgram(process.execPath, args, { timeoutMs: 55_000 })
  expect(service.bytes).toBe(SIZE * MIB)
  expect(service.parts).toBe(SIZE / 8)
  expect(Number(stdout)).toBeGreaterThan(0)
  expect(Number(stdout)).toBeLessThan(100)
})
