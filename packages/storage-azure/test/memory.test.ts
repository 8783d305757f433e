import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MIB = 2 ** 20

/** Takes everything and keeps nothing. */
async function discardingService() {
  let received = 0
  const server = createServer(async (request, response) => {
    for await (const chunk of request) received += (chunk as Buffer).length
    response.writeHead(201, { etag: '"0x1"', 'last-modified': new Date().toUTCString() }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    received: () => received,
    [Symbol.dispose]: () => void server.close(),
  }
}

test('an upload of 1 GB of unknown size takes less than 100 MB of memory', async () => {
  using service = await discardingService()
  const main = join(import.meta.dirname, 'upload-process.ts')
  const args = ['--conditions=@sqlstream/source', main, service.url]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const { size, growth } = JSON.parse(stdout) as { size: number; growth: number }
  expect(size).toBe(1024 * MIB)
  expect(service.received()).toBeGreaterThan(1024 * MIB)
  expect(growth).toBeLessThan(100 * MIB)
})
