import {
  type ChainProof,
  createHeader,
  createKernel,
  Decoder,
  Encoder,
  mergeFiles,
  toTXID,
} from '@sqlstream/ltx'
import { PAGE_SIZE } from './page-codec.ts'

const kernel = createKernel({ pageSize: PAGE_SIZE })

/** A snapshot of these pages in chunks. */
export function encodeFile(pages: Uint8Array, proof?: ChainProof): Uint8Array[] {
  const commit = pages.length / PAGE_SIZE
  const range = { minTXID: toTXID(1), maxTXID: toTXID(1) }
  const header = createHeader({ ...range, pageSize: PAGE_SIZE, commit, timestamp: 0, proof })
  const encoder = new Encoder(header, { kernel })
  const chunks = [encoder.start().slice()]
  for (let from = 0; from < commit; from += kernel.capacity) {
    const n = Math.min(kernel.capacity, commit - from)
    kernel.pages.set(pages.subarray(from * PAGE_SIZE, (from + n) * PAGE_SIZE))
    for (let i = 0; i < n; i++) kernel.pgnos[i] = from + i + 1
    chunks.push(encoder.encode(n, { track: true }).slice())
  }
  chunks.push(encoder.finish().slice())
  return chunks
}

/** Reads all pages and verifies everything. */
export async function decodeFile(file: readonly Uint8Array[]): Promise<void> {
  const decoder = await Decoder.open(streamOf(file), { kernel })
  for await (const batch of decoder.batches()) if (batch.count === 0) throw new Error('an empty batch')
  await decoder.finish()
}

/** Verifies a file and writes it anew. */
export async function mergeFile(file: readonly Uint8Array[]): Promise<void> {
  let bytes = 0
  for await (const chunk of mergeFiles([streamOf(file)])) bytes += chunk.length
  if (bytes === 0) throw new Error('nothing was merged')
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
