import type { PageKernel, PageSize } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { Arena } from './arena.ts'
import { backends, kernelOf, pageSizes } from './backends.ts'
import { fillPage, makePools } from './page-makers.ts'
import { freshSeed, Random } from './random.ts'
import { decodeBlock } from './reference.ts'

const seed = freshSeed()
const pools = makePools(new Random(seed))

/** Pages of many kinds, some of them twice, some of them almost. */
function makePages(pageSize: PageSize, count: number): Uint8Array[] {
  const random = new Random(seed + pageSize)
  const pages: Uint8Array[] = []
  const last = new Uint8Array(pageSize)
  while (pages.length < count) {
    fillPage(last, random, pools)
    pages.push(last.slice())
    if (random.oneIn(3)) pages.push(last.slice())
    if (random.oneIn(3)) pages.push(new Uint8Array([...last.subarray(7), ...last.subarray(0, 7)]))
  }
  return pages.slice(0, count)
}

/** 0..count-1 in any order. */
function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}

/** Encodes pages in batches of `batch` and returns the block of each as text, which compares fast. */
function encode(kernel: PageKernel, pages: readonly Uint8Array[], batch: number): string[] {
  const blocks: string[] = []
  for (let from = 0; from < pages.length; from += batch) {
    const some = pages.slice(from, from + batch)
    some.forEach((page, i) => void kernel.pages.set(page, i * kernel.pageSize))
    const size = kernel.encode(some.length, false)
    let at = 0
    for (let i = 0; i < some.length; i++) {
      const end = at + kernel.frameSizes[i]!
      blocks.push(Buffer.from(kernel.frames.subarray(at + 10, end)).toString('latin1'))
      at = end
    }
    expect(at).toBe(size)
  }
  return blocks
}

describe.each(backends)('the %s kernel', (backend) => {
  test.each(pageSizes)(
    'gives a page of %i bytes the same block in any order, batch and kernel',
    (pageSize) => {
      const count = Math.max(24, Math.min(300, 2 ** 20 / pageSize))
      const pages = makePages(pageSize, count)
      const random = new Random(seed)
      // Each page alone in a kernel that has seen nothing.
      const alone = pages.map((page) => encode(kernelOf(backend, pageSize, 1), [page], 1)[0]!)
      const used = kernelOf(backend, pageSize, count)
      for (let round = 0; round < 12; round++) {
        const order = shuffled(count, random)
        const some = order.map((i) => pages[i]!)
        const kernel = round % 3 === 0 ? kernelOf(backend, pageSize, count) : used
        const blocks = encode(kernel, some, round === 0 ? count : 1 + random.below(count))
        for (const [i, from] of order.entries()) {
          if (blocks[i] !== alone[from]) expect.fail(`page ${from} in round ${round}, seed ${seed}`)
        }
      }
    },
  )

  test.each(pageSizes)('gives a page of %i bytes the same block after any number of others', (pageSize) => {
    // The match table is cleared once 65536 bytes have gone by; each place before and after that must be the same.
    const perTable = 65536 / pageSize
    const [page, other] = makePages(pageSize, 2) as [Uint8Array, Uint8Array]
    const shifted = new Uint8Array([...page.subarray(1), 0])
    const expected = encode(kernelOf(backend, pageSize, 1), [page], 1)[0]
    for (const filler of [page, other, shifted, new Uint8Array(pageSize)]) {
      const kernel = kernelOf(backend, pageSize, 1)
      for (let before = 0; before < 2 * perTable + 3; before++) {
        if (encode(kernel, [page], 1)[0] !== expected) expect.fail(`after ${before} others, seed ${seed}`)
        encode(kernel, [filler], 1)
      }
    }
  })

  test.each(pageSizes)('makes of a page of %i bytes a block as the format wants it', (pageSize) => {
    const count = Math.max(40, Math.min(2000, 2 ** 22 / pageSize))
    const pages = makePages(pageSize, count)
    const blocks = encode(kernelOf(backend, pageSize, 1), pages, 1)
    for (const [i, page] of pages.entries()) {
      const block = Buffer.from(blocks[i]!, 'latin1')
      const problem = blockProblem(block, page)
      if (problem !== undefined) expect.fail(`page ${i}: ${problem}, seed ${seed}`)
    }
  })

  test.each([512, 4096, 65536] as const)(
    'writes nothing but frames and sums when it encodes pages of %i bytes',
    (pageSize) => {
      const random = new Random(seed)
      const arena = new Arena(backend, pageSize, 3, random)
      const rounds = 2 ** 23 / pageSize
      for (let round = 0; round < rounds; round++) {
        const count = random.below(4)
        const area = arena.kernel.pages.subarray(0, count * pageSize)
        // Whole batches of noise are the longest frames there are.
        if (round % 4 === 0) random.fill(area)
        else
          for (let i = 0; i < count; i++)
            fillPage(area.subarray(i * pageSize, (i + 1) * pageSize), random, pools)
        const problem = arena.encode(count, random.oneIn(2))
        if (problem !== undefined) expect.fail(`round ${round}: ${problem}, seed ${seed}`)
      }
    },
  )
})

/** What FORMAT.md L1 and L3, or the page, would have otherwise. */
function blockProblem(block: Uint8Array, page: Uint8Array): string | undefined {
  const size = page.byteLength
  const out = new Uint8Array(size)
  if (!decodeBlock(block, out, 0, size).whole) return 'the reference refuses it'
  if (Buffer.compare(out, page) !== 0) return 'it is another page'
  if (block.byteLength > size + Math.ceil((size - 14) / 255) + 1)
    return `${block.byteLength} bytes are more than one run of literals`
  let at = 0
  let to = 0
  let lastMatch = 0
  const more = (nibble: number): number => {
    let length = nibble
    if (nibble === 15)
      do length += block[at]!
      while (block[at++] === 255)
    return length
  }
  while (true) {
    const token = block[at++]!
    const literals = more(token >> 4)
    at += literals
    to += literals
    if (at === block.byteLength) {
      return lastMatch > 0 && literals < 5 ? `the last run has ${literals} literals` : undefined
    }
    lastMatch = to
    if (to > size - 12) return `a match starts ${size - to} bytes before the end`
    at += 2
    to += more(token & 15) + 4
  }
}
