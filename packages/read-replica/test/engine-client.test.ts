import { expect, test } from 'vitest'
import { EngineClient, type EngineEvents } from '../src/engine-client.ts'

const NO_SERVER = {
  read: () => Promise.reject(new Error('nothing is read')),
  replan: () => Promise.reject(new Error('nothing is planned')),
  keyOf: () => '',
}

test('the answer to a call that was given up does not let go of a thread that is ending', async () => {
  let events: EngineEvents | undefined
  let isHeld = false
  const terminated = Promise.withResolvers<void>()
  const client = new EngineClient(
    (given) => {
      events = given
      return {
        post: () => undefined,
        setBusy: (busy) => {
          isHeld = busy
        },
        // As a Worker does: it keeps the process alive until it has ended.
        terminate: () => {
          isHeld = true
          return terminated.promise
        },
      }
    },
    undefined,
    NO_SERVER,
  )
  const controller = new AbortController()
  const call = client.call({ type: 'close', session: 1 }, { signal: controller.signal })
  controller.abort(new Error('given up'))
  await expect(call).rejects.toThrow('given up')
  const closed = client.close()
  events?.onMessage({
    type: 'reply',
    call: 1,
    stats: { hits: 0, misses: 0, cachedBytes: 0, waitMs: 0 },
    sets: [],
    isLast: true,
  })
  expect(isHeld).toBe(true)
  terminated.resolve()
  await closed
})
