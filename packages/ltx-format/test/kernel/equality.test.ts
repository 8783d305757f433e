import { isLTXError, type PageKernel, type PageSize } from '@sqlstream/ltx'
import { expect, test } from 'vitest'
import { bytesOf, kernelOf } from './backends.ts'
import { fillPage, makePools } from './page-makers.ts'
import { freshSeed, Random } from './random.ts'

/** Pages that go through both kernels; each is encoded, decoded and summed, and of a third of the batches bytes are changed before they are decoded. */
const CASES = Number(process.env['SQLSTREAM_EQUALITY_CASES'] ?? 1_000_000)

/** Page size, pages in a batch, share of the cases. */
const mix: readonly (readonly [PageSize, number, number])[] = [
  [512, 32, 0.6],
  [512, 1, 0.02],
  [1024, 32, 0.2],
  [2048, 16, 0.09],
  [4096, 40, 0.08],
  [8192, 5, 0.005],
  [16384, 4, 0.002],
  [32768, 3, 0.001],
  [65536, 3, 0.0005],
]

const seed = freshSeed()
const pools = makePools(new Random(seed))

test.each(mix)(
  'pages of %i bytes in batches of up to %i are the same in both kernels',
  (pageSize, capacity, share) => {
    const random = new Random(seed + pageSize + capacity)
    const js = kernelOf('js', pageSize, capacity)
    const wasm = kernelOf('wasm', pageSize, capacity)
    const least = Math.ceil(CASES * share)
    const verdicts = { whole: 0, cut: 0, refused: 0 }
    let cases = 0
    while (cases < least) {
      const where = `seed ${seed} (SQLSTREAM_SEED), case ${cases}`
      const count = random.oneIn(20) ? capacity : random.below(capacity + 1)
      const size = compareEncoding(js, wasm, random, count, where)
      compareDecoding(js, wasm, random, size, verdicts, where)
      cases += Math.max(1, count)
    }
    // Fewer of a kind would be tests of nothing.
    for (const [verdict, times] of Object.entries(verdicts)) expect(times, verdict).toBeGreaterThan(0)
  },
)

function same(a: Uint8Array | Uint32Array, b: Uint8Array | Uint32Array, count: number, what: string): void {
  if (bytesOf(a.subarray(0, count)).compare(bytesOf(b.subarray(0, count))) !== 0) expect.fail(what)
}

/** Both kernels on the same new pages. Returns the bytes in their frames. */
function compareEncoding(
  js: PageKernel,
  wasm: PageKernel,
  random: Random,
  count: number,
  where: string,
): number {
  const { pageSize } = js
  for (let i = 0; i < count; i++) {
    fillPage(js.pages.subarray(i * pageSize, (i + 1) * pageSize), random, pools)
    js.pgnos[i] = random.oneIn(4) ? random.word() | 1 : 1 + random.below(1000)
  }
  wasm.pages.set(js.pages.subarray(0, count * pageSize))
  wasm.pgnos.set(js.pgnos.subarray(0, count))
  // Files go on over many batches, so that checksums start from any state.
  if (random.oneIn(10)) for (const kernel of [js, wasm]) kernel.reset()
  const track = random.oneIn(2)
  const size = js.encode(count, track)
  if (wasm.encode(count, track) !== size) expect.fail(`encode gives another size, ${where}`)
  same(js.frames, wasm.frames, size, `frames differ, ${where}`)
  same(js.frameSizes, wasm.frameSizes, count, `frameSizes differ, ${where}`)
  if (track) compareSums(js, wasm, count, `encode, ${where}`)
  if (js.digest() !== wasm.digest()) expect.fail(`digests differ after encode, ${where}`)
  for (const kernel of [js, wasm]) {
    kernel.pageSums.fill(0)
    kernel.checksumPages(count)
  }
  same(js.pageSums, wasm.pageSums, 2 * count, `checksumPages differs, ${where}`)
  return size
}

function compareSums(js: PageKernel, wasm: PageKernel, count: number, where: string): void {
  same(js.pageSums, wasm.pageSums, 2 * count, `pageSums differ after ${where}`)
  same(js.dataSums, wasm.dataSums, 2 * count, `dataSums differ after ${where}`)
}

/** Both kernels on the frames they have just made, whole, cut, or with bytes changed. */
function compareDecoding(
  js: PageKernel,
  wasm: PageKernel,
  random: Random,
  encoded: number,
  verdicts: { whole: number; cut: number; refused: number },
  where: string,
): void {
  const { frames, capacity } = js
  let size = encoded
  if (random.oneIn(2)) {
    frames.fill(0, size, size + 6)
    size += 6
  }
  if (random.oneIn(5)) size = random.below(size + 1)
  if (random.oneIn(3)) damage(frames.subarray(0, size), js.frameSizes, random)
  wasm.frames.set(frames.subarray(0, size))
  const maxPages = random.oneIn(4) ? random.below(capacity + 1) : capacity
  const track = random.oneIn(2)
  const [a, b] = [js, wasm].map((kernel) => outcome(kernel, size, maxPages, track)) as [Outcome, Outcome]
  if (JSON.stringify(a) !== JSON.stringify(b)) {
    expect.fail(`decode: js ${JSON.stringify(a)}, wasm ${JSON.stringify(b)}, ${where}`)
  }
  if (a.step === undefined) {
    verdicts.refused++
    for (const kernel of [js, wasm]) kernel.reset()
    return
  }
  const { pages, consumed } = a.step
  if (consumed === size) verdicts.whole++
  else verdicts.cut++
  same(js.pages, wasm.pages, pages * js.pageSize, `decoded pages differ, ${where}`)
  same(js.pgnos, wasm.pgnos, pages, `pgnos differ, ${where}`)
  same(js.frameSizes, wasm.frameSizes, pages, `frameSizes differ after decode, ${where}`)
  if (track) compareSums(js, wasm, pages, `decode, ${where}`)
  if (js.digest() !== wasm.digest()) expect.fail(`digests differ after decode, ${where}`)
}

interface Outcome {
  readonly step?: ReturnType<PageKernel['decode']>
  readonly error?: readonly unknown[]
}

function outcome(kernel: PageKernel, available: number, maxPages: number, track: boolean): Outcome {
  try {
    return { step: kernel.decode(available, maxPages, track) }
  } catch (error) {
    if (!isLTXError(error)) throw error
    return { error: [error.code, error.offset, error.message] }
  }
}

/** Changes a few bytes, more often in the headers of frames and at the ends of blocks than inside. */
function damage(frames: Uint8Array, frameSizes: Uint32Array, random: Random): void {
  for (let times = 1 + random.below(3); times > 0 && frames.byteLength > 0; times--) {
    let at = random.below(frames.byteLength)
    if (random.oneIn(2)) {
      at = 0
      for (let i = random.below(3); i > 0; i--) at += frameSizes[i - 1]!
      at += random.below(20) - 6
    }
    if (at < 0 || at >= frames.byteLength) continue
    const kind = random.below(4)
    if (kind === 0) frames[at] = random.word()
    else if (kind === 1) frames[at] = frames[at]! ^ (1 << random.below(8))
    else if (kind === 2) frames[at] = random.pick([0, 1, 15, 0xf0, 255])
    else frames.fill(random.pick([0, 255]), at, at + random.below(12))
  }
}
