import { afterEach, describe, expect, test, vi } from 'vitest'
import { freePort, ServerProcess, serverOrReason } from '../src/servers/index.ts'

const SCRIPT = `
  console.log('hello')
  require('node:http').createServer((_, response) => response.end('here')).listen(Number(process.argv[1]), '127.0.0.1')`

function command(port: number, script = SCRIPT) {
  return { program: process.execPath, args: ['-e', script, String(port)], port }
}

test('a server is there after its start and gone after its end', async () => {
  const port = await freePort()
  const server = await ServerProcess.start(command(port))
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('here')
  expect(server.output).toBe('hello\n')
  await server[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow()
})

test('one that ends at once, does not exist or never listens fails with what it printed', async () => {
  const port = await freePort()
  await expect(ServerProcess.start(command(port, 'throw new Error("no disk")'))).rejects.toThrow(
    /exit code 1\n.*no disk/s,
  )
  await expect(ServerProcess.start({ program: 'sqlstream-no-such-server', args: [], port })).rejects.toThrow(
    'ENOENT',
  )
  const silent = command(port, 'console.log("waiting"); setInterval(() => {}, 1000)')
  await expect(ServerProcess.start({ ...silent, startLimitMs: 1000 })).rejects.toThrow(/no open port in time/)
})

describe('a server that cannot start', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })
  const start = () => Promise.reject(new Error('not installed'))

  test('is a reason to skip on a laptop', async () => {
    vi.stubEnv('CI', '')
    expect(await serverOrReason('frobd', start)).toEqual({ reason: 'no frobd here: not installed' })
  })

  test('is a failure in CI', async () => {
    vi.stubEnv('CI', 'true')
    await expect(serverOrReason('frobd', start)).rejects.toThrow('no frobd here: not installed')
  })
})
