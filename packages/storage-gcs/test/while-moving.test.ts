import { Agent, createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sendRequest } from '../src/send-request.ts'
import { whileMoving } from '../src/while-moving.ts'

const limit = { limitMs: 1000, fields: { driver: 'gcs', operation: 'put', key: 'a' } } as const

describe('a call', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('may take any time as long as it moves', async () => {
    const call = whileMoving(limit, async (_, moves) => {
      for (let i = 0; i < 20; i++) {
        await vi.advanceTimersByTimeAsync(900)
        moves()
      }
      return 'done'
    })
    expect(await call).toBe('done')
  })

  test('ends at the limit after its last move, and its signal aborts', async () => {
    let seen: AbortSignal | undefined
    const call = whileMoving(limit, (signal, moves) => {
      seen = signal
      setTimeout(moves, 500)
      return new Promise(() => {})
    })
    const outcome = expect(call).rejects.toMatchObject({
      code: 'timeout',
      transient: true,
      operation: 'put',
      key: 'a',
    })
    await vi.advanceTimersByTimeAsync(1499)
    expect(seen!.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(seen!.aborted).toBe(true)
    await outcome
  })

  test('ends with the reason of its signal, and leaves neither timer nor listener', async () => {
    const aborter = new AbortController()
    const removed = vi.spyOn(aborter.signal, 'removeEventListener')
    const call = whileMoving({ ...limit, signal: aborter.signal }, () => new Promise(() => {}))
    const reason = new Error('enough')
    aborter.abort(reason)
    await expect(call).rejects.toBe(reason)
    expect(removed).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
    await expect(whileMoving({ ...limit, signal: aborter.signal }, async () => 1)).rejects.toBe(reason)
  })
})

test('a large body moves while it goes out', async () => {
  let received = 0
  const server = createServer(async (request, response) => {
    for await (const chunk of request) received += (chunk as Buffer).length
    response.end()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as { port: number }
    const onProgress = vi.fn()
    const body = new Uint8Array(16 * 2 ** 20)
    const request = { method: 'PUT', headers: {}, body, agent: new Agent(), onProgress }
    const url = new URL(`http://127.0.0.1:${port}`)
    const { status, close } = await sendRequest({ ...request, url }, new AbortController().signal)
    close()
    expect([status, received]).toEqual([200, body.length])
    expect(onProgress.mock.calls.length).toBeGreaterThan(10)
  } finally {
    server.close()
  }
})
