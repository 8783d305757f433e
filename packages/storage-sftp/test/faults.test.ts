import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BlobStore, getBytes, type Precondition, type StorageError } from '@sqlstream/storage'
import { FaultProxy, type TCPFault } from '@sqlstream/testkit/servers'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { SFTPStore } from '../src/index.ts'
import { all } from './all.ts'
import { optionsFor, withSSHD } from './sshd.ts'

const old = new Uint8Array(20_000).fill(1)
const fresh = new Uint8Array(40_000).fill(2)
const newest = new Uint8Array(40_000).fill(3)
const kinds = ['plain', 'absent', 'match'] as const

await withSSHD((sshd, test) => {
  let proxy: FaultProxy
  let count = 0
  /** Sees what is there, whatever the proxy does. */
  let watcher: SFTPStore

  beforeAll(async () => {
    proxy = await FaultProxy.start(sshd.port)
    watcher = await SFTPStore.open({ ...optionsFor(sshd), path: sshd.root })
  })
  afterAll(async () => {
    await watcher[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
  })

  /** A store through the proxy, in a folder of its own, and that folder seen directly. */
  async function openFaulty(requestLimitMs = 20_000) {
    const path = join(sshd.root, `r${count++}`)
    mkdirSync(path)
    const store = await SFTPStore.open({
      ...optionsFor(sshd, proxy),
      path,
      requestLimitMs,
      connectLimitMs: 5000,
    })
    const direct = await SFTPStore.open({ ...optionsFor(sshd), path })
    return {
      store,
      direct,
      path,
      async [Symbol.asyncDispose]() {
        proxy.heal()
        await store[Symbol.asyncDispose]()
        await direct[Symbol.asyncDispose]()
      },
    }
  }

  async function prepare(direct: BlobStore, key: string, kind: (typeof kinds)[number]) {
    const info = kind === 'absent' ? undefined : await direct.put(key, old)
    const precondition: Precondition | undefined =
      kind === 'plain' ? undefined : kind === 'absent' ? { kind } : { kind, etag: info!.etag }
    return precondition
  }

  /**
   * Calls with a fault at the 1st, 2nd, … piece of data, or every few, until one call ends without meeting it. A cut costs two
   * connections. @returns how many pieces of data a call has
   */
  async function atEveryPiece(
    fault: TCPFault,
    call: (key: string) => Promise<void>,
    { step = 1 }: { step?: number } = {},
  ): Promise<number> {
    for (let n = 1; ; n += step) {
      await call(`k${n}`)
      if (!proxy.hasStruck) return n - 1
      proxy.heal()
      expect(n, `${fault} strikes at the first ${n} pieces`).toBeLessThan(200)
    }
  }

  describe('T34: a connection that is cut at any request of a put', () => {
    test.each(kinds)('%s: is made anew, and the put succeeds, though its answer was lost', async (kind) => {
      await using place = await openFaulty()
      const { store, direct } = place
      const struck = await atEveryPiece('lose-answer', async (key) => {
        const precondition = await prepare(direct, key, kind)
        await store.head('nothing').catch(() => undefined)
        proxy.arm('lose-answer', Number(key.slice(1)))
        const info = await store.put(key, fresh, { precondition })
        expect(await getBytes(direct, key)).toEqual(fresh)
        expect(await direct.head(key)).toEqual(info)
      })
      expect(struck).toBeGreaterThan(6)
    })

    test.each(kinds)('%s: leaves the old object or the new one when the server stays away', async (kind) => {
      await using place = await openFaulty()
      const { store, direct, path } = place
      const struck = await atEveryPiece(
        'lose-answer',
        async (key) => {
          const precondition = await prepare(direct, key, kind)
          await store.head('nothing').catch(() => undefined)
          proxy.arm('lose-answer', Number(key.slice(1)))
          const putting = store.put(key, fresh, { precondition })
          const outcome = putting.then(
            () => 'stored',
            (error: StorageError) => error.code,
          )
          while (!proxy.hasStruck && (await Promise.race([outcome, undefined])) === undefined) {
            await new Promise(setImmediate)
          }
          proxy.isDown = proxy.hasStruck
          const now = async () => getBytes(direct, key).catch(() => undefined)
          if ((await outcome) === 'stored') expect(await now()).toEqual(fresh)
          else {
            expect(await outcome).toBe('unavailable')
            expect([kind === 'absent' ? undefined : old, fresh]).toContainEqual(await now())
          }
        },
        { step: 2 },
      )
      expect(struck).toBeGreaterThan(6)
      proxy.heal()
      // The next put removes what the lost connections left.
      await store.put('last', fresh)
      await direct.sweep({ olderThanMs: -1000 })
      expect(readdirSync(path).filter((name) => name.includes('~temp~'))).toEqual([])
    })
  })

  test.each(kinds)(
    '%s: a request that is lost, and arrives after a newer put, does not undo that',
    async (kind) => {
      await using place = await openFaulty()
      const { store, direct } = place
      const struck = await atEveryPiece(
        'hold',
        async (key) => {
          const precondition = await prepare(direct, key, kind)
          await store.head('nothing').catch(() => undefined)
          proxy.arm('hold', Number(key.slice(1)))
          await store.put(key, fresh, { precondition })
          expect(await getBytes(direct, key)).toEqual(fresh)
          await store.put(key, newest)
          await proxy.release()
          expect(await getBytes(direct, key)).toEqual(newest)
        },
        { step: kind === 'match' ? 2 : 1 },
      )
      expect(struck).toBeGreaterThan(6)
    },
  )

  test('every call on a server that hangs ends at its limit, and all works again afterwards', async () => {
    const calls: [string, (store: BlobStore) => Promise<unknown>][] = [
      ['list', (store) => all(store.list())],
      ['head', (store) => store.head('a')],
      ['get', (store) => store.get('a').then(({ body }) => all(body))],
      ['put', (store) => store.put('b', fresh)],
      ['put absent', (store) => store.put('c', fresh, { precondition: { kind: 'absent' } })],
      ['delete', (store) => store.delete(['d'])],
    ]
    for (const [name, call] of calls) {
      await using place = await openFaulty(400)
      await place.direct.put('a', old)
      for (const n of [1, 2, 5]) {
        await place.store.head('a')
        proxy.arm('hang', n)
        const outcome = call(place.store)
        if (n === 1) await expect(outcome, name).rejects.toMatchObject({ code: 'timeout', transient: true })
        // It may be over before the n-th piece.
        else
          await outcome.catch((error: StorageError) => expect(error, name).toMatchObject({ code: 'timeout' }))
        proxy.heal()
      }
    }
  })

  test('an abort ends a call on a server that hangs at once', async () => {
    await using place = await openFaulty()
    await place.direct.put('a', old)
    const reason = new Error('enough')
    for (const call of [
      (signal: AbortSignal) => place.store.head('a', { signal }),
      (signal: AbortSignal) => place.store.put('b', fresh, { signal }),
      (signal: AbortSignal) => place.store.delete(['c'], { signal }),
    ]) {
      await place.store.head('a')
      const aborter = new AbortController()
      proxy.arm('hang', 1)
      const running = call(aborter.signal)
      running.catch(() => undefined)
      while (!proxy.hasStruck) await new Promise(setImmediate)
      aborter.abort(reason)
      await expect(running).rejects.toBe(reason)
      proxy.heal()
    }
  })

  test('a body whose connection ends fails, and readers that resume go on', async () => {
    await using place = await openFaulty()
    const big = new Uint8Array(3_000_000).map((_, i) => i)
    await place.direct.put('a', big)
    const { body } = await place.store.get('a')
    const chunks = body[Symbol.asyncIterator]()
    await chunks.next()
    proxy.heal()
    const rest = async () => {
      while ((await chunks.next()).done !== true);
    }
    await expect(rest()).rejects.toMatchObject({
      code: 'unavailable',
      transient: true,
      operation: 'get',
      key: 'a',
    })
    proxy.arm('lose', 4)
    expect(await getBytes(place.store, 'a')).toEqual(big)
    expect(proxy.hasStruck).toBe(true)
  })
})
