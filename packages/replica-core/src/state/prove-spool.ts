import { type Checksum, Decoder, type Header, isLTXError, type PageKernel, type TXID } from '@sqlstream/ltx'
import { BREATH_BYTES, breathe } from '../breathe.ts'
import { openFileSource } from './file-source.ts'
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
  const reader = new SpoolReader(signal)
  let first: Checksum | undefined
  let reached: { txid: bigint; checksum: Checksum } | undefined
  for (const file of files) {
    if (file.maxTXID <= head) continue
    const proof = (await reader.readWhole(file))?.proof
    if (proof === undefined || file.minTXID !== (reached?.txid ?? head) + 1n) return undefined
    if (reached !== undefined && reached.checksum !== proof.preApplyChecksum) return undefined
    first ??= proof.preApplyChecksum
    reached = { txid: file.maxTXID, checksum: proof.postApplyChecksum }
  }
  if (reached === undefined) return head === position.txid ? position.postApplyChecksum : undefined
  const arrived = reached.txid === position.txid && reached.checksum === position.postApplyChecksum
  return arrived ? first : undefined
}

/** Reads files with one kernel, and gives way to others now and then. */
class SpoolReader {
  readonly #signal: AbortSignal | undefined
  #kernel: PageKernel | undefined
  #sinceBreath = 0

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  /** The header of a file of which every byte is as it was written; undefined for any other. */
  async readWhole(file: SpoolFile): Promise<Header | undefined> {
    try {
      using source = openFileSource(file.path)
      const decoder = await Decoder.open(source, { kernel: this.#kernel, signal: this.#signal })
      this.#kernel = decoder.kernel
      for await (const { data } of decoder.batches()) {
        this.#sinceBreath += data.byteLength
        if (this.#sinceBreath < BREATH_BYTES) continue
        this.#sinceBreath = 0
        await breathe(this.#signal)
      }
      await decoder.finish()
      const { header } = decoder
      return header.minTXID === file.minTXID && header.maxTXID === file.maxTXID ? header : undefined
    } catch (error) {
      if (isLTXError(error) || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}
