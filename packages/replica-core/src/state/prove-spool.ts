import { createReadStream } from 'node:fs'
import { type Checksum, Decoder, type Header, isLTXError, type TXID } from '@sqlstream/ltx'
import type { Position } from './position.ts'
import type { SpoolFile } from './spool.ts'

/**
 * Proves that spooled files lead from the state after `head` to the position: none is missing, each
 * is whole, and each continues the one before. A disk that lied about a sync, or a person who tidied
 * up, would otherwise put a hole or a broken file into the replica.
 *
 * @returns the database checksum after `head`, or undefined without that proof
 */
export async function proveSpool(
  files: readonly SpoolFile[],
  head: TXID,
  position: Position,
  signal?: AbortSignal,
): Promise<Checksum | undefined> {
  let first: Checksum | undefined
  let reached: { txid: bigint; checksum: Checksum } | undefined
  for (const file of files) {
    if (file.maxTXID <= head) continue
    const proof = (await readWhole(file, signal))?.proof
    if (proof === undefined || file.minTXID !== (reached?.txid ?? head) + 1n) return undefined
    if (reached !== undefined && reached.checksum !== proof.preApplyChecksum) return undefined
    first ??= proof.preApplyChecksum
    reached = { txid: file.maxTXID, checksum: proof.postApplyChecksum }
  }
  if (reached === undefined) return head === position.txid ? position.postApplyChecksum : undefined
  const arrived = reached.txid === position.txid && reached.checksum === position.postApplyChecksum
  return arrived ? first : undefined
}

/** The header of a file of which every byte is as it was written; undefined for any other. */
async function readWhole(file: SpoolFile, signal?: AbortSignal): Promise<Header | undefined> {
  const source = createReadStream(file.path, { highWaterMark: 256 * 1024 })
  try {
    const decoder = await Decoder.open(source, signal && { signal })
    for await (const _batch of decoder.batches()) signal?.throwIfAborted()
    await decoder.finish()
    const { header } = decoder
    return header.minTXID === file.minTXID && header.maxTXID === file.maxTXID ? header : undefined
  } catch (error) {
    if (isLTXError(error) || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  } finally {
    source.destroy()
  }
}
