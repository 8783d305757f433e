import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BlobStore, getBytes, isStorageError } from '@sqlstream/storage'
import { FaultProxy } from '@sqlstream/testkit/servers'
import { afterAll, beforeAll, expect } from 'vitest'
import { connect } from '../src/connect.ts'
import { Connection } from '../src/connection.ts'
import { claimName, hashFileName, tempName } from '../src/hidden-names.ts'
import { SFTPStore } from '../src/index.ts'
import { Litter } from '../src/litter.ts'
import { loadLogin } from '../src/login.ts'
import { type ReplaceOutcome, replaceVersion } from '../src/replace-version.ts'
import { fileETag, newMark } from '../src/version.ts'
import { optionsFor, withSSHD } from './sshd.ts'

await withSSHD((sshd, test) => {
  const connections: Connection[] = []

  beforeAll(async () => {
    const options = optionsFor(sshd)
    const login = await loadLogin(options)
    for (let i = 0; i < 4; i++) {
      const { signal } = new AbortController()
      const channel = await connect({ host: sshd.host, port: sshd.port }, login, { limitMs: 20_000, signal })
      connections.push(new Connection(channel, 20_000))
    }
  })
  afterAll(() => {
    for (const connection of connections) connection.destroy()
  })

  async function write(connection: Connection, path: string, text: string) {
    const handle = await connection.create(path)
    await connection.write(handle, Buffer.from(text), 0)
    // All in one second, and of one size.
    await connection.setTimes(handle, newMark(), 1_700_000_000)
    await connection.close(handle)
    return fileETag(await connection.lstat(path), true)
  }

  // With no patience every claim that is met is taken for dead, so all holders are fenced again and again.
  test('of those who replace a version one wins, and wins for good, though all fence each other', async () => {
    for (let round = 0; round < 12; round++) {
      const root = join(sshd.root, `race${round}`)
      mkdirSync(root)
      const target = join(root, 'object')
      const first = await write(connections[0]!, target, 'first ')
      const contend = async (connection: Connection, name: string): Promise<ReplaceOutcome> => {
        const temp = join(root, tempName())
        const ours = await write(connection, temp, name)
        const replacement = { temp, ours, target, expected: first, attempts: new Set<string>() }
        return replaceVersion(connection, replacement, new Litter(), 0)
      }
      const names = connections.flatMap((_, i) => [`one-${i}.`, `two-${i}.`])
      const outcomes = await Promise.all(names.map((name, i) => contend(connections[i >> 1]!, name)))
      const winners = names.filter((_, i) => outcomes[i] === 'replaced')
      expect(winners).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(names.length - 1)
      await using store = await SFTPStore.open({ ...optionsFor(sshd), path: root })
      expect(new TextDecoder().decode(await getBytes(store, 'object'))).toBe(winners[0])
      expect(readdirSync(root).filter((name) => name.includes('~claim~'))).toEqual([])
    }
  })

  /** Adds one, so often; each of its connections is cut now and then. */
  async function count(store: BlobStore, times: number, sabotage: () => void): Promise<number[]> {
    const values: number[] = []
    while (values.length < times) {
      try {
        const { etag } = await store.head('counter')
        const value = Number(new TextDecoder().decode(await getBytes(store, 'counter'))) + 1
        sabotage()
        const body = new TextEncoder().encode(String(value).padStart(12, '0'))
        await store.put('counter', body, { precondition: { kind: 'match', etag } })
        values.push(value)
      } catch (error) {
        if (!isStorageError(error, 'precondition-failed') && !isStorageError(error, 'unavailable'))
          throw error
      }
    }
    return values
  }

  test('counters lose no update while their connections are cut', async () => {
    const path = join(sshd.root, 'counters')
    await using direct = await SFTPStore.open({ ...optionsFor(sshd), path })
    await direct.put('counter', new TextEncoder().encode('0'.padStart(12, '0')))
    const lanes = await Promise.all(
      // Each has its own address, so that no lock of this process puts them in order.
      [1, 2, 3].map(async (lane) => {
        await using proxy = await FaultProxy.start(sshd.port)
        await using store = await SFTPStore.open({ ...optionsFor(sshd, proxy), path })
        let n = lane * 5
        return await count(store, 12, () => {
          n += 7
          proxy.arm(n % 2 === 0 ? 'lose' : 'lose-answer', 1 + (n % 23))
        })
      }),
    )
    const told = lanes.flat().sort((a, b) => a - b)
    expect(new Set(told).size).toBe(told.length)
    const counter = Number(new TextDecoder().decode(await getBytes(direct, 'counter')))
    // Only what was 'unavailable' may have happened without being told.
    expect(counter).toBeGreaterThanOrEqual(told.at(-1)!)
  })

  test('the claim of a stopped writer is taken over, and a sweep keeps a claim as long as its version is there', async () => {
    const path = join(sshd.root, 'stopped')
    await using store = await SFTPStore.open({ ...optionsFor(sshd), path })
    const { etag } = await store.put('a', Uint8Array.of(1))
    const attempt = tempName(0)
    const claim = claimName({ object: hashFileName('a'), etag, generation: 0 })
    writeFileSync(join(path, attempt), 'of the stopped one')
    writeFileSync(join(path, claim), attempt)
    expect(await store.sweep({ olderThanMs: -1000 })).toEqual({ files: 1 })
    expect(readdirSync(path).sort()).toEqual([claim, 'a'])
    await store.put('a', Uint8Array.of(2), { precondition: { kind: 'match', etag } })
    expect(await getBytes(store, 'a')).toEqual(Uint8Array.of(2))
    expect(readdirSync(path)).toEqual(['a'])
    writeFileSync(join(path, claim), '../a')
    expect(await store.sweep()).toEqual({ files: 0 })
    expect(await store.sweep({ olderThanMs: -1000 })).toEqual({ files: 1 })
  })
})
