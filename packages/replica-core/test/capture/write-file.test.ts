import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createHeader, createKernel, Decoder, type Header, toTXID } from '@sqlstream/ltx'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { difference } from '../../src/capture/difference.ts'
import type { PageSource } from '../../src/capture/page-source.ts'
import { writeFile } from '../../src/capture/write-file.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { Spool } from '../../src/state/spool.ts'
import { watchWrites } from '../support/write-calls.ts'

const kernel = createKernel({ pageSize: 512, batchBytes: 4 * 512 })

/** Ten pages whose content may be changed between two readings. */
function pages(): PageSource & { content: number[]; runs: number[] } {
  const content = Array.from({ length: 10 }, (_, i) => i + 1)
  return {
    content,
    runs: [],
    pageSize: 512,
    count: 10,
    pgno: (i) => i + 1,
    read(from, count, into) {
      this.runs.push(count)
      for (let i = 0; i < count; i++) into.fill(content[from + i]!, i * 512, (i + 1) * 512)
    },
  }
}

function header(min: bigint, max: bigint): Header {
  return createHeader({ pageSize: 512, commit: 10, minTXID: toTXID(min), maxTXID: toTXID(max), timestamp: 1 })
}

async function decoded(bytes: Uint8Array): Promise<number[][]> {
  const decoder = await Decoder.open(
    (async function* () {
      yield bytes
    })(),
  )
  const found: number[][] = []
  for await (const page of decoder) found.push([page.pgno, page.data[511]!])
  await decoder.finish()
  return found
}

describe('a captured file', () => {
  it('holds the changed pages and nothing else; neighbours are read at once', async () => {
    using folder = new TempFolder('write')
    mkdirSync(folder.join('spool'))
    const source = pages()
    const changes = await difference(source, new Ledger(), kernel)
    // Pages 2, 3, 4 and 9 of a database that had ten pages before.
    const indexes = Uint32Array.of(1, 2, 3, 8)
    const some = {
      count: 4,
      indexes,
      pgnos: indexes.map((i) => i + 1),
      sums: Uint32Array.from([...indexes].flatMap((i) => [...changes.sums.subarray(i * 2, i * 2 + 2)])),
    }
    source.runs.length = 0
    const spool = new Spool(folder.join('spool'))
    const file = await writeFile(spool, header(2n, 2n), source, some, kernel, { previousCommit: 10 })
    expect(source.runs).toEqual([3, 1])
    expect(await decoded(readFileSync(file.path))).toEqual([
      [2, 2],
      [3, 3],
      [4, 4],
      [9, 9],
    ])
  })

  it('is one write when its pages are one batch, and one more for each further batch', async () => {
    using folder = new TempFolder('write')
    mkdirSync(folder.join('spool'))
    for (const [batchPages, writes] of [
      [10, 1],
      [16, 1],
      [9, 2],
      [4, 3],
      [1, 10],
    ] as const) {
      const own = createKernel({ pageSize: 512, batchBytes: batchPages * 512 })
      const source = pages()
      const changes = await difference(source, new Ledger(), own)
      const spool = new Spool(folder.join('spool'))
      using calls = watchWrites()
      const file = await writeFile(spool, header(2n, 2n), source, changes, own, { previousCommit: 0 })
      expect(calls.sizes).toHaveLength(writes)
      const bytes = readFileSync(file.path)
      expect([calls.sizes.reduce((sum, size) => sum + size), file.size]).toEqual([bytes.length, bytes.length])
      expect(await decoded(bytes)).toEqual(source.content.map((fill, i) => [i + 1, fill]))
    }
  })

  it('without a page is one write too: a database may shrink and change nothing else', async () => {
    using folder = new TempFolder('write')
    mkdirSync(folder.join('spool'))
    using calls = watchWrites()
    const none = {
      count: 0,
      indexes: new Uint32Array(0),
      pgnos: new Uint32Array(0),
      sums: new Uint32Array(0),
    }
    const spool = new Spool(folder.join('spool'))
    const file = await writeFile(spool, header(2n, 2n), pages(), none, kernel, { previousCommit: 12 })
    expect(calls.sizes).toEqual([file.size])
    expect(await decoded(readFileSync(file.path))).toEqual([])
  })

  it('K3: a disk that is full leaves nothing in the spool', async () => {
    using folder = new TempFolder('write')
    mkdirSync(folder.join('spool'))
    using calls = watchWrites()
    calls.take = (call, size) => {
      if (call < 3) return Math.min(size, 50)
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }
    const source = pages()
    const changes = await difference(source, new Ledger(), kernel)
    const spool = new Spool(folder.join('spool'))
    const writing = writeFile(spool, header(2n, 2n), source, changes, kernel, { previousCommit: 0 })
    await expect(writing).rejects.toMatchObject({ code: 'disk-full' })
    expect(readdirSync(folder.join('spool'))).toEqual([])
  })

  it('R3: a page that is no longer what was verified is not written, and the file is dropped', async () => {
    using folder = new TempFolder('write')
    mkdirSync(folder.join('spool'))
    for (const changed of [0, 4, 9]) {
      const source = pages()
      const changes = await difference(source, new Ledger(), kernel)
      source.content[changed]!++
      const spool = new Spool(folder.join('spool'))
      const writing = writeFile(spool, header(2n, 2n), source, changes, kernel, { previousCommit: 0 })
      await expect(writing).rejects.toMatchObject({ code: 'wal-discontinuous' })
      expect(readdirSync(folder.join('spool'))).toEqual([])
    }
  })
})
