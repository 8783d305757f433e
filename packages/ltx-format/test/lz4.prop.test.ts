import { expect, test } from 'vitest'
import { compressBound } from '../src/kernel/lz4-compress.ts'
import { decompress } from '../src/kernel/lz4-decompress.ts'

/** A small generator: streams by the hundred thousand need one that costs nothing, and a seed to print. */
class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * limit)
  }
}

/** The block format one byte at a time, with every check spelled out; -1 if malformed. */
function reference(block: readonly number[], room: number): number[] | -1 {
  const out: number[] = []
  let at = 0
  const more = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    for (;;) {
      const byte = block[at++]
      if (byte === undefined) return -1
      length += byte
      if (byte !== 255) return length
    }
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = more(token >> 4)
    if (literals < 0 || at + literals > block.length || out.length + literals > room) return -1
    for (let i = 0; i < literals; i++) out.push(block[at++]!)
    if (at === block.length) return out
    if (at + 2 > block.length) return -1
    const distance = block[at]! + 256 * block[at + 1]!
    at += 2
    const match = more(token & 15)
    if (match < 0 || distance === 0 || distance > out.length || out.length + match + 4 > room) return -1
    for (let i = 0; i < match + 4; i++) out.push(out[out.length - distance]!)
  }
  return -1
}

function pushLength(block: number[], length: number): void {
  let rest = length - 15
  for (; rest >= 255; rest -= 255) block.push(255)
  block.push(rest)
}

/** A stream of sequences whose lengths are mostly right, and often land within a few bytes of the end of the page. */
function generate(random: Random, pageSize: number): number[] {
  const block: number[] = []
  let size = 0
  const sequences = 1 + random.below(6)
  const pick = (least: number): number => {
    const left = pageSize - size
    const kind = random.below(8)
    if (kind < 4) return least + random.below(12)
    if (kind < 6) return least + random.below(60)
    // Round the end, often one or a few bytes past it.
    return Math.max(least, left + random.below(9) - (kind === 6 ? 8 : 4))
  }
  for (let i = 0; i < sequences; i++) {
    const literals = pick(0)
    const match = pick(4) - 4
    block.push((Math.min(literals, 15) << 4) | Math.min(match, 15))
    if (literals >= 15) pushLength(block, literals)
    for (let n = 0; n < literals; n++) block.push(random.below(256))
    size += literals
    if (i === sequences - 1 && random.below(8) > 0) break
    const reach =
      random.below(10) === 0 ? size + random.below(3) : 1 + random.below(Math.max(1, Math.min(size, 40)))
    const distance = random.below(50) === 0 ? 0 : reach
    block.push(distance & 255, distance >> 8)
    if (match >= 15) pushLength(block, match)
    size += match + 4
  }
  if (random.below(10) === 0) block.length = random.below(block.length + 1)
  if (random.below(10) === 0) block[random.below(block.length)] = random.below(256)
  return block
}

test.each([
  ['one array, as kernels have it', true],
  ['two arrays', false],
])(
  'L2: 60000 token-level streams decode as the plain reference says, with no byte outside the page touched: %s',
  (_, one) => {
    const seed = Date.now() % 2 ** 31
    const random = new Random(seed)
    const pageSize = 128
    const guard = 40
    const outAt = 3072
    const memory = new Uint8Array(outAt + guard + pageSize + guard)
    const target = one ? memory : new Uint8Array(memory.byteLength)
    const view = new DataView(memory.buffer)
    const targetView = new DataView(target.buffer)
    const low = outAt + guard
    let valid = 0
    for (let round = 0; round < 60_000; round++) {
      const block = generate(random, pageSize)
      if (block.length > 2048) continue
      const start = 1 + random.below(7)
      memory.fill(0xa5, 0, start + block.length + 64)
      target.fill(0x5a, outAt)
      for (let i = 0; i < block.length; i++) memory[start + i] = block[i]!
      const end = decompress(
        memory,
        view,
        start,
        start + block.length,
        target,
        targetView,
        low,
        low + pageSize,
        low,
      )
      const expected = reference(block, pageSize)
      const where = `seed ${seed} round ${round}: ${block.join(' ')}`
      if (expected === -1) {
        expect(end, where).toBe(-1)
      } else {
        valid++
        expect(end, where).toBe(low + expected.length)
        for (let i = 0; i < expected.length; i++) if (target[low + i] !== expected[i]) expect.fail(where)
      }
      for (let i = outAt; i < low; i++) if (target[i] !== 0x5a) expect.fail(`write before the page, ${where}`)
      for (let i = low + pageSize; i < target.byteLength; i++)
        if (target[i] !== 0x5a) expect.fail(`write after the page, ${where}`)
    }
    // The generator is of use only if it makes plenty of both kinds.
    expect(valid).toBeGreaterThan(10_000)
    expect(valid).toBeLessThan(50_000)
  },
)

test('no block is longer than the bound', () => {
  for (const size of [0, 1, 15, 254, 255, 256, 65536]) {
    const literals = 1 + (size < 15 ? 0 : Math.floor((size - 15) / 255) + 1) + size
    expect(compressBound(size)).toBeGreaterThanOrEqual(literals)
  }
})
