import {
  type ByteStream,
  type ChainProof,
  Decoder,
  type Header,
  isLTXError,
  type KernelPool,
} from '@sqlstream/ltx'
import { isStorageError } from '@sqlstream/storage'
import { isLongEnough, type LTXFile } from './catalog.ts'
import { isReplicaError } from './errors.ts'
import { inOrder } from './in-order.ts'
import { PoolOnDemand } from './pool.ts'
import { proofOf } from './proof.ts'
import { checkRange, type Replica } from './replica.ts'
import type { Finding, VerifyOptions } from './verify.ts'

// Headers are small requests: this many at a time hide the round trips and stay far below any store's limit.
const PARALLEL_HEADERS = 16

/** What one file says about itself. */
export interface FileReport {
  readonly file: LTXFile
  /** Absent when the file is damaged or gone. */
  readonly header?: Header
  readonly proof?: ChainProof | undefined
  readonly finding?: Finding
}

/** Reads headers, or whole files, in the order given. Damage becomes a finding; the store's errors are thrown. */
export async function* inspectFiles(
  replica: Replica,
  files: readonly LTXFile[],
  options: VerifyOptions,
): AsyncGenerator<FileReport, void, void> {
  const isDeep = options.depth === 'bytes'
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0)
  const pool = new PoolOnDemand(options.pool, totalBytes)
  const inspect = (file: LTXFile): Promise<FileReport> =>
    reportOn(file, () =>
      isDeep
        ? decodeWhole(file, replica.open(file, options), {
            signal: options.signal,
            pool: pool.for(file.size),
          })
        : readHeader(replica, file, options),
    )
  let bytes = 0
  let count = 0
  try {
    for await (const report of inOrder(files, isDeep ? 1 : PARALLEL_HEADERS, inspect)) {
      bytes += report.file.size
      count++
      options.onProgress?.({ bytes, totalBytes, files: count, totalFiles: files.length })
      yield report
    }
  } finally {
    await pool.close()
  }
}

async function readHeader(replica: Replica, file: LTXFile, options: VerifyOptions): Promise<FileReport> {
  const header = await replica.header(file, options)
  return { file, header, proof: header.proof }
}

/**
 * Decodes a file to its end and compares every checksum in it, and its range with its name. Throws LTXError, ReplicaError `corrupt`,
 * the stream's errors.
 */
export async function decodeWhole(
  file: LTXFile,
  body: ByteStream,
  options: { readonly pool?: KernelPool | undefined; readonly signal?: AbortSignal | undefined },
): Promise<FileReport> {
  const decoder = await Decoder.open(body, options)
  try {
    checkRange(file, decoder.header)
    const proof = proofOf(decoder.header, await decoder.finish())
    return { file, header: decoder.header, proof }
  } finally {
    await decoder.close()
  }
}

/** Turns damage into a finding. */
async function reportOn(file: LTXFile, read: () => Promise<FileReport>): Promise<FileReport> {
  if (!isLongEnough(file)) {
    const message = `${file.key} has ${file.size} bytes, too few for an LTX file`
    return { file, finding: { kind: 'corrupt', severity: 'error', message, file } }
  }
  try {
    return await read()
  } catch (error) {
    if (isStorageError(error, 'not-found')) {
      const message = `${file.key} was removed while the replica was verified`
      return { file, finding: { kind: 'gap', severity: 'warning', message, file } }
    }
    if (isLTXError(error)) {
      return {
        file,
        finding: { kind: 'corrupt', severity: 'error', message: `${file.key}: ${error.message}`, file },
      }
    }
    if (isReplicaError(error, 'corrupt')) {
      return { file, finding: { kind: 'corrupt', severity: 'error', message: error.message, file } }
    }
    throw error
  }
}
