import {
  crc64,
  createHeader,
  createKernel,
  Decoder,
  Encoder,
  mergeFiles,
  type PageKernel,
  type PageSize,
  toTXID,
} from '@sqlstream/ltx'
import * as lz4 from '@sqlstream/ltx/lz4'

/*
 * MB/s (10^6 bytes of page data) of each stage, best of several rounds, on pages that look like a table of rows: about 0.65
 * of their size after compression. Run after a build: node bench/kernel.ts [pageSize]
 */

const pageSize = Number(process.argv[2] ?? 4096) as PageSize
const kernel = createKernel({ pageSize })
const batches = 16
const total = batches * kernel.capacity * pageSize

fillPages(kernel)

function fillPages({ pages, pgnos }: PageKernel): void {
  const words = [
    'order',
    'shipped',
    'pending',
    'user',
    'example.test',
    'street',
    'Berlin',
    'blue',
    'invoice',
    'total',
  ]
  let seed = 42
  const next = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed >>> 8
  }
  let at = 0
  while (at < pages.byteLength) {
    const word = next() % 3 === 0 ? next().toString(16) : words[next() % words.length]!
    for (let i = 0; i < word.length && at < pages.byteLength; i++) pages[at++] = word.charCodeAt(i)
    if (at < pages.byteLength) pages[at++] = next() % 32
  }
  for (let i = 0; i < pgnos.length; i++) pgnos[i] = i + 1
}

/** Runs `work` (which handles `bytes`) until 9 rounds are done and prints the best. */
async function measure(name: string, bytes: number, work: () => unknown): Promise<void> {
  let best = Infinity
  for (let round = 0; round < 9; round++) {
    const start = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, user + system)
  }
  console.log(
    `${name.padEnd(34)} ${Math.round(bytes / best)
      .toString()
      .padStart(6)} MB/s`,
  )
}

const pages = kernel.pages.slice()
const onePage = (i: number): Uint8Array => pages.subarray(i * pageSize, (i + 1) * pageSize)
const repeat = (work: () => unknown): (() => void) => {
  return () => {
    for (let i = 0; i < batches; i++) work()
  }
}

const header = createHeader({
  pageSize,
  commit: batches * kernel.capacity,
  minTXID: toTXID(1),
  maxTXID: toTXID(1),
  timestamp: 0,
})

function encodeFile(track: boolean): Uint8Array[] {
  const encoder = new Encoder(header, { kernel })
  const chunks = [encoder.start()]
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < kernel.capacity; i++) kernel.pgnos[i] = batch * kernel.capacity + i + 1
    chunks.push(encoder.encode(kernel.capacity, { track }).slice())
  }
  chunks.push(encoder.finish())
  return chunks
}

const blocks = Array.from({ length: kernel.capacity }, (_, i) => lz4.compressBlock(onePage(i)))
const blockBytes = blocks.reduce((sum, block) => sum + block.byteLength, 0)
const output = new Uint8Array(pageSize)
const file = encodeFile(false)

console.log(
  `Node ${process.version}, pages of ${pageSize}, compressed to ${(blockBytes / pages.byteLength).toFixed(3)}`,
)
await measure(
  'crc64, whole batch',
  total,
  repeat(() => crc64(pages)),
)
await measure(
  'page checksums',
  total,
  repeat(() => kernel.checksumPages(kernel.capacity)),
)
await measure(
  'decompress',
  total,
  repeat(() => {
    for (const block of blocks) lz4.decompressBlock(block, output)
  }),
)
await measure('encode', total, () => encodeFile(false))
await measure('encode with page checksums', total, () => encodeFile(true))
await measure('decode and verify', total, async () => {
  const decoder = await Decoder.open(
    (async function* () {
      yield* file
    })(),
    { kernel },
  )
  for await (const _ of decoder.batches());
  await decoder.finish()
})
await measure('merge of one file', total, async () => {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* file
  }
  for await (const _ of mergeFiles([source()]));
})
