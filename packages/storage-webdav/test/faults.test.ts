import { type BlobStore, getBytes, type Precondition, type StorageError } from '@sqlstream/storage'
import { FaultProxy, type TCPFault } from '@sqlstream/testkit/servers'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { WebDAVStore } from '../src/index.ts'
import { all } from './all.ts'
import { type ServerName, withServer } from './servers.ts'

const old = new Uint8Array(90_000).fill(1)
const fresh = new Uint8Array(150_000).fill(2)

for (const [name, kinds] of [
  // PUT at the name itself, with and without a condition; a hidden name and MOVE.
  ['lighttpd', ['plain', 'absent', 'match']],
  ['rclone', ['plain']],
] as [ServerName, ('plain' | 'absent' | 'match')[]][]) {
  await withServer(name, (server, test) => {
    let proxy: FaultProxy
    let store: WebDAVStore
    let direct: WebDAVStore

    beforeAll(async () => {
      proxy = await FaultProxy.start(server.process.port)
      direct = await WebDAVStore.open({ url: `${server.url}/app` })
      store = await WebDAVStore.open({ url: `http://127.0.0.1:${proxy.port}/app`, requestLimitMs: 20_000 })
    })
    afterAll(async () => {
      await proxy[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await direct[Symbol.asyncDispose]()
    })

    async function prepare(key: string, kind: (typeof kinds)[number]): Promise<Precondition | undefined> {
      if (kind === 'absent') return { kind }
      const { etag } = await direct.put(key, old)
      return kind === 'plain' ? undefined : { kind, etag }
    }

    /** Calls with a fault at the 1st, 2nd, … piece of data, or every few, until one call ends without meeting it. */
    async function atEveryPiece(
      fault: TCPFault,
      step: number,
      call: (key: string, n: number) => Promise<void>,
    ) {
      for (let n = 1; ; n += step) {
        await call(`${fault}${n}`, n)
        if (!proxy.hasStruck) return n - 1
        proxy.heal()
        expect(n).toBeLessThan(100)
      }
    }

    describe(`T34: ${name}`, () => {
      test.each(
        kinds.flatMap((kind) => (['lose', 'lose-answer'] as const).map((fault) => [kind, fault] as const)),
      )(
        '%s, %s: a put whose connection is cut at any piece of data succeeds on a new one',
        async (kind, fault) => {
          const pieces = await atEveryPiece(fault, 1, async (piece, n) => {
            const key = `${kind}/${piece}`
            const precondition = await prepare(key, kind)
            proxy.arm(fault, n)
            const info = await store.put(key, fresh, { precondition })
            expect(await getBytes(direct, key)).toEqual(fresh)
            expect((await direct.head(key)).etag).toBe(info.etag)
          })
          expect(pieces).toBeGreaterThan(3)
        },
      )

      test.each(kinds)('%s: a server that stays away has the old object or the new one', async (kind) => {
        await atEveryPiece('lose-answer', 4, async (piece, n) => {
          const key = `away-${kind}/${piece}`
          const precondition = await prepare(key, kind)
          proxy.arm('lose-answer', n)
          const outcome = store.put(key, fresh, { precondition }).then(
            () => 'stored',
            (error: StorageError) => error.code,
          )
          while (!proxy.hasStruck && (await Promise.race([outcome, undefined])) === undefined) {
            await new Promise(setImmediate)
          }
          proxy.isDown = proxy.hasStruck
          const code = await outcome
          const now = await getBytes(direct, key).catch(() => undefined)
          if (code === 'stored') expect(now).toEqual(fresh)
          else {
            expect(code).toBe('unavailable')
            expect([kind === 'absent' ? undefined : old, fresh]).toContainEqual(now)
          }
        })
        for (const { key } of await all(direct.list())) expect(key).not.toContain('~')
        await direct.sweep({ olderThanMs: -1000 })
      })
    })

    test(`every call on ${name} when it hangs ends at its limit`, async () => {
      await direct.put('a', old)
      const calls: ((store: BlobStore) => Promise<unknown>)[] = [
        (each) => all(each.list()),
        (each) => each.head('a'),
        (each) => each.get('a').then(({ body }) => all(body)),
        (each) => each.put('b', fresh),
        (each) => each.delete(['a']),
      ]
      const options = { url: `http://127.0.0.1:${proxy.port}/app`, conditionalPut: 'never' } as const
      for (const call of calls) {
        await using limited = await WebDAVStore.open({ ...options, requestLimitMs: 200 })
        proxy.arm('hang', 1)
        await expect(call(limited)).rejects.toMatchObject({
          code: 'timeout',
          transient: true,
          driver: 'webdav',
        })
        proxy.heal()
      }
      const reason = new Error('enough')
      for (const call of [
        (signal: AbortSignal) => store.head('a', { signal }),
        (signal: AbortSignal) => store.put('b', fresh, { signal }),
        (signal: AbortSignal) => store.delete(['a'], { signal }),
      ]) {
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
  })
}
