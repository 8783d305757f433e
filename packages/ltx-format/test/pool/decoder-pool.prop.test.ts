import { Decoder, isLTXError, type KernelPool, type Page, type PageSize, type Trailer } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { databaseChecksum, header, makeFile, page } from '../files.ts'
import { streamOf } from '../golden.ts'
import { assemble, oldFrame } from '../handmade.ts'
import { InlinePool } from './inline-pool.ts'

interface Seen {
  /** Everything in each batch. */
  readonly batches: unknown[]
  readonly trailer?: Trailer
  readonly error?: unknown
}

/** All that a caller can see of a file, however it ends. */
async function read(bytes: Uint8Array, chunk: number, batchBytes: number, pool?: KernelPool): Promise<Seen> {
  const batches: unknown[] = []
  try {
    const decoder = await Decoder.open(streamOf(bytes, chunk), { batchBytes, pool })
    for await (const batch of decoder.batches()) batches.push(structuredClone({ ...batch, end: undefined }))
    return { batches, trailer: await decoder.finish() }
  } catch (error) {
    if (!isLTXError(error)) throw error
    return { batches, error: { code: error.code, message: error.message, offset: error.offset } }
  }
}

const pageSize = fc.constantFrom<PageSize>(512, 1024, 4096)

/** A file of consecutive pages, some of the older kind. */
const file = fc
  .record({
    size: pageSize,
    count: fc.nat(40),
    seed: fc.nat(1000),
    old: fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(40) }),
    tracked: fc.boolean(),
  })
  .map(({ size, count, seed, old, tracked }) => {
    const pages: Page[] = Array.from({ length: count }, (_, i) => page(i + 1, size, i + seed))
    if (old < 0 || old >= count) {
      const head = header(1, 9, count, { pageSize: size, ...(tracked ? { flags: 0 } : {}) })
      return makeFile(head, pages, tracked ? databaseChecksum(pages) : undefined)
    }
    const frames = pages.map((p, i) => (i >= old && i % 3 === old % 3 ? oldFrame(p) : plainFrame(p)))
    return assemble(header(1, 9, count, { pageSize: size }), frames)
  })

/** A page as today's writers make it, cut out of a file. */
function plainFrame(p: Page): [Uint8Array, Uint8Array, number] {
  const whole = makeFile(header(2, 2, p.pgno, { pageSize: p.data.byteLength as PageSize }), [p])
  const frame = whole.subarray(100, 100 + 10 + Buffer.from(whole).readUInt32BE(106))
  return [frame, Buffer.concat([frame.subarray(0, 10), p.data]), p.pgno]
}

const setting = fc.record({
  chunk: fc.integer({ min: 1, max: 70_000 }),
  batchPages: fc.integer({ min: 1, max: 9 }),
  size: fc.integer({ min: 1, max: 4 }),
  turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 7 }),
})

test('any file gives the same batches, trailer and errors with a pool of any size and order as without', async () => {
  await fc.assert(
    fc.asyncProperty(file, setting, async (bytes, { chunk, batchPages, size, turns }) => {
      const batchBytes = batchPages * 1024
      const pool = new InlinePool({ size, turns: (n) => turns[n % turns.length]! })
      const alone = await read(bytes, chunk, batchBytes)
      expect(alone.error).toBeUndefined()
      expect(await read(bytes, chunk, batchBytes, pool)).toEqual(alone)
    }),
    { numRuns: 150 },
  )
})

/** One change to a file. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), where: fc.nat(), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), where: fc.nat() }),
  fc.record({ kind: fc.constant('lose' as const), where: fc.nat(), count: fc.integer({ min: 1, max: 600 }) }),
)

test('T3: a damaged file gives the same batches before the same error, code, message and offset', async () => {
  await fc.assert(
    fc.asyncProperty(file, setting, damage, async (whole, { chunk, batchPages, size, turns }, how) => {
      const at = how.where % whole.byteLength
      let bytes = new Uint8Array(whole)
      if (how.kind === 'set') bytes[at] = how.value
      else if (how.kind === 'cut') bytes = bytes.slice(0, at)
      else bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + how.count)])
      const batchBytes = batchPages * 1024
      const pool = new InlinePool({ size, turns: (n) => turns[n % turns.length]! })
      expect(await read(bytes, chunk, batchBytes, pool)).toEqual(await read(bytes, chunk, batchBytes))
    }),
    { numRuns: 400 },
  )
})
