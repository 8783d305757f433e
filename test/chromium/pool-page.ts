import { crc64, createHeader, Decoder, Encoder, type KernelPool, toTXID } from '@sqlstream/ltx'
import { WorkerPool } from '@sqlstream/ltx/pool'
import { CONTENTS, streamOf } from '../../packages/ltx-format/test/vector-parts.ts'

/** What one file gave, decoded by the page alone and by Web Workers. */
export interface PoolReport {
  readonly alone: string
  readonly pooled: string
  /** Jobs that workers did. */
  readonly jobs: number
}

const PAGES = 200
const BATCH = 16 * 4096

Object.assign(globalThis, { report: comparePools() })

async function comparePools(): Promise<PoolReport> {
  const file = await writeFile()
  let jobs = 0
  const pool = new WorkerPool(2, ({ onReply, onEnd }) => {
    const worker = new Worker('/pool-worker.js', { type: 'module' })
    worker.onmessage = ({ data }) => {
      jobs++
      onReply(data)
    }
    worker.onerror = onEnd
    return {
      post: (request) => worker.postMessage(request, [request.buffer]),
      terminate: () => worker.terminate(),
    }
  })
  try {
    return { alone: await digestOf(file), pooled: await digestOf(file, pool), jobs }
  } finally {
    await pool.close()
  }
}

async function writeFile(): Promise<Uint8Array> {
  const encoder = new Encoder(
    createHeader({ pageSize: 4096, commit: PAGES, minTXID: toTXID(1), maxTXID: toTXID(1), timestamp: 0 }),
  )
  const kinds = Object.values(CONTENTS).map((make) => make(4096))
  const parts: Uint8Array[] = [encoder.start()]
  for (let pgno = 1; pgno <= PAGES; pgno++)
    parts.push(encoder.page({ pgno, data: kinds[pgno % kinds.length]! }))
  parts.push(encoder.finish())
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer())
}

/** How many pages, and a checksum of all of them. */
async function digestOf(file: Uint8Array, pool?: KernelPool): Promise<string> {
  const decoder = await Decoder.open(streamOf(file, 10_000), { pool, batchBytes: BATCH })
  let count = 0
  let sum = 0n
  for await (const { data } of decoder) {
    count++
    sum = crc64(data, sum)
  }
  await decoder.finish()
  return `${count} pages ${sum.toString(16)}`
}
