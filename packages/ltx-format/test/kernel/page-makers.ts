import { goldenSets, readGolden, readManifest } from '../golden.ts'
import type { Random } from './random.ts'

/** Fills `page` with bytes of one kind. */
type PageMaker = (page: Uint8Array, random: Random, pools: Pools) => void

/** Bytes that are dear to make, made once: pages are cut from them. */
export interface Pools {
  readonly noise: Uint8Array
  readonly text: Uint8Array
  readonly sqlite: Uint8Array
}

const words =
  'order shipped pending user example.test street Berlin blue invoice total CREATE TABLE INSERT NULL 2026-11-24 {"kind": "id":'.split(
    ' ',
  )

export function makePools(random: Random): Pools {
  const noise = new Uint8Array(1 << 18)
  random.fill(noise)
  const text = new Uint8Array(1 << 18)
  for (let at = 0; at < text.byteLength; ) {
    const word = random.oneIn(3) ? String(random.word()) : random.pick(words)
    for (let i = 0; i < word.length && at < text.byteLength; i++) text[at++] = word.charCodeAt(i)
    if (at < text.byteLength) text[at++] = random.below(33)
  }
  return { noise, text, sqlite: goldenPages() }
}

/** The files of the golden sets as they are: SQLite pages, compressed by another writer, and what is between. */
function goldenPages(): Uint8Array {
  return Buffer.concat(
    goldenSets.flatMap(({ name }) =>
      readManifest(name).files.map(({ path }) => readGolden(name, 'replica', path)),
    ),
  )
}

function cut(pool: Uint8Array, page: Uint8Array, random: Random): void {
  const from = random.below(pool.byteLength)
  const head = pool.subarray(from, from + page.byteLength)
  page.set(head)
  for (let at = head.byteLength; at < page.byteLength; at += pool.byteLength) {
    page.set(pool.subarray(0, page.byteLength - at), at)
  }
}

/** Repeats the first `period` bytes. */
function repeat(page: Uint8Array, period: number): void {
  for (let done = period; done < page.byteLength; done *= 2) page.copyWithin(done, 0, done)
}

function someBytes(page: Uint8Array, count: number, random: Random): void {
  for (let i = 0; i < count; i++) page[random.below(page.byteLength)] = random.word()
}

const zeros: PageMaker = (page) => void page.fill(0)
const one: PageMaker = (page, random) => void page.fill(random.word())
const noise: PageMaker = (page, random, pools) => cut(pools.noise, page, random)
const text: PageMaker = (page, random, pools) => cut(pools.text, page, random)
const sqlite: PageMaker = (page, random, pools) => cut(pools.sqlite, page, random)

/** Periods up to 70 and, less often, any: matches of each small distance, which copies treat apart. */
const pattern: PageMaker = (page, random, pools) => {
  noise(page, random, pools)
  repeat(page, random.oneIn(8) ? 1 + random.below(page.byteLength) : 1 + random.below(70))
  if (random.oneIn(2)) someBytes(page, random.below(20), random)
}

const sparse: PageMaker = (page, random) => {
  page.fill(0)
  someBytes(page, random.below(40), random)
}

/** Stretches of other kinds, so that literals and matches of all lengths meet at any place. */
const patchwork: PageMaker = (page, random, pools) => {
  for (let at = 0; at < page.byteLength; ) {
    const size = 1 + random.below(random.pick([6, 20, 70, 300, page.byteLength]))
    const part = page.subarray(at, at + size)
    const kind = random.below(5)
    if (kind === 0) part.fill(random.word())
    else if (kind === 1) cut(pools.noise, part, random)
    else if (kind === 2) cut(pools.text, part, random)
    else if (at > 0) {
      // An earlier stretch again: a match of known distance and length.
      const distance = 1 + random.below(at)
      for (let i = 0; i < part.byteLength; i++) part[i] = page[at - distance + i]!
    } else part.fill(0)
    at += size
  }
}

/** Noise with zeros in front or behind: where the search for matches has skipped ahead, and where it must stop. */
const halves: PageMaker = (page, random, pools) => {
  noise(page, random, pools)
  const cutAt = random.below(page.byteLength + 1)
  if (random.oneIn(2)) page.fill(0, cutAt)
  else page.fill(0, 0, cutAt)
}

/** Few values only: many matches, most of them short and near. */
const alphabet: PageMaker = (page, random, pools) => {
  noise(page, random, pools)
  const mask = random.pick([1, 3, 7, 15])
  for (let i = 0; i < page.byteLength; i++) page[i] = page[i]! & mask
}

/** Like the page before it, but for a few bytes: what a database really writes, and what a stale match table would show. */
const again: PageMaker = (page, random) => someBytes(page, random.below(4), random)

const makers = [
  zeros,
  one,
  noise,
  text,
  sqlite,
  pattern,
  pattern,
  sparse,
  patchwork,
  patchwork,
  halves,
  alphabet,
  again,
]

/** Fills `page` with bytes of any kind. */
export function fillPage(page: Uint8Array, random: Random, pools: Pools): void {
  random.pick(makers)(page, random, pools)
}
