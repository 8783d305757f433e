import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Takes resumable uploads and forgets their bytes, so that a large one costs nobody memory. */
async function discardingServer() {
  let total = 0
  const server = createServer(async (request, response) => {
    const { port } = server.address() as { port: number }
    for await (const chunk of request) if (request.method === 'PUT') total += (chunk as Buffer).length
    const [, end, size] = /^bytes \d+-(\d+)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '') ?? []
    if (request.method === 'POST') {
      response.writeHead(200, { location: `http://127.0.0.1:${port}/upload?upload_id=x` }).end()
    } else if (size === '*') {
      response.writeHead(308, { range: `bytes=0-${end}` }).end()
    } else {
      const timeCreated = new Date().toISOString()
      response.end(JSON.stringify({ name: 'large', size, generation: '1', timeCreated }))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    received: () => total,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('an upload of 1 GiB of unknown size takes less than 100 MiB of memory', async () => {
  await using server = await discardingServer()
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=@sqlstream/source',
    join(import.meta.dirname, 'upload-child.ts'),
    server.url,
    '1024',
  ])
  expect(server.received()).toBe((20 + 1024) * 2 ** 20)
  expect(Number(stdout)).toBeLessThan(100)
}, 180_000)
