import type { PageIndex } from '@sqlstream/ltx'
import { type BlobStore, BodyReader, readResumable } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { type BlockDecoder, DamagedFrames, type Filling } from './block-decoder.ts'
import type { ReadPart } from './plan-reads.ts'

/** What a part is read with. */
export interface PartContext {
  readonly store: BlobStore
  readonly decoder: BlockDecoder
  readonly signal: AbortSignal
  /** Called after each portion. */
  readonly onBytes: (bytes: number) => void
}

/** Reads a part of a file with one request, resumed when it is cut, and hands its frames on in blocks. */
export async function readPart(
  file: LTXFile,
  index: PageIndex,
  { offset, length, runs }: ReadPart,
  { store, decoder, signal, onBytes }: PartContext,
): Promise<void> {
  const { body } = await readResumable(store, file.key, { range: { offset, length }, signal })
  const reader = new BodyReader(body)
  let at = offset
  let filling: Filling | undefined

  async function read(target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.byteLength; ) {
      const size = await reader.readInto(target.subarray(done))
      if (size === 0) throw new DamagedFrames(`${file.key} ends at ${at + done}`)
      done += size
      onBytes(size)
    }
    at += target.byteLength
  }

  async function skipTo(target: number): Promise<void> {
    while (at < target) await read(new Uint8Array(Math.min(target - at, 64 * 1024)))
  }

  try {
    for (const { first, end } of runs) {
      await skipTo(index.offsets[first] as number)
      for (let i = first; i < end; ) {
        filling ??= await decoder.take()
        const until = takeEntries(filling, index, i, end)
        const to = (index.offsets[until - 1] as number) + (index.sizes[until - 1] as number)
        const size = to - at
        await read(filling.block.frames.subarray(filling.bytes, filling.bytes + size))
        filling.bytes += size
        i = until
        if (filling.count < filling.block.capacity) continue
        decoder.submit(filling)
        filling = undefined
      }
    }
    if (filling) decoder.submit(filling)
  } finally {
    await reader.close()
  }
}

/** Reserves the block for entries from `i` on, as many as fit; returns the first that does not. */
export function takeEntries(filling: Filling, index: PageIndex, i: number, end: number): number {
  let next = i
  for (; next < end && filling.hasRoom(index.sizes[next] as number); next++) {
    filling.pgnos[filling.count++] = index.pgnos[next] as number
  }
  return next
}
