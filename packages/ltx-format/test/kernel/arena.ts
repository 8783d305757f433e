import { isLTXError, type PageKernel, type PageSize } from '@sqlstream/ltx'
import { type Backend, bytesOf, kernelOf, sumAt } from './backends.ts'
import type { Random } from './random.ts'
import { addBytes, finished, fresh } from './reference.ts'
import type { Expected } from './reference-frames.ts'

/**
 * Bytes behind what is decoded that a decoder may overwrite, even when it stops there for a mistake. The wild copies of the WASM kernel
 * move 16 bytes at a time: they reach into the slot of a page not decoded yet, or into the slack behind the last. Those of the JS
 * kernel move four and stay inside the page.
 */
const OVERSHOOT = { js: 3, wasm: 16 }

/** What the WASM kernel changes before its windows, by kernel/memory.ts: FILE_STATE and RESULT in all calls, TABLE and PAGE in encode. */
const STATE = { from: 1024, to: 1088 }
const TABLE = { from: 4096, to: 20480 }
const PAGE = { from: 65536, to: 131072 }

/** One of the buffers in which a kernel's arrays lie, and what must be in it after a call, but for what the call may change. */
interface Guarded {
  readonly memory: Buffer
  readonly garbage: Buffer
}

/**
 * A kernel in a memory full of garbage. Each call is judged by a reference, and every byte of the memory that the call had no
 * business with must be what it was. Two arenas with different garbage that agree have not read any of it.
 */
export class Arena {
  readonly kernel: PageKernel
  readonly #guarded: Map<ArrayBufferLike, Guarded>
  readonly #own: readonly { readonly from: number; readonly to: number }[]

  constructor(backend: Backend, pageSize: PageSize, capacity: number, random: Random) {
    this.kernel = kernelOf(backend, pageSize, capacity)
    this.#own = backend === 'wasm' ? [STATE, TABLE, PAGE] : []
    this.#guarded = new Map(
      this.#views().map(({ buffer }) => {
        const memory = Buffer.from(buffer)
        const windows = buffer === this.kernel.pages.buffer ? this.kernel.pages.byteOffset : 0
        random.fill(memory.subarray(windows))
        return [buffer, { memory, garbage: Buffer.from(memory) }]
      }),
    )
  }

  #views(): (Uint8Array | Uint32Array)[] {
    const { pages, frames, pgnos, frameSizes, pageSums, dataSums } = this.kernel
    return [pages, frames, pgnos, frameSizes, pageSums, dataSums]
  }

  /**
   * Decodes frames[0, length), of which `available` are told of, and returns what is wrong about it. `pages` are those that the
   * reference has decoded. Leaves the garbage as it was.
   */
  decode(
    frames: Uint8Array,
    length: number,
    available: number,
    maxPages: number,
    track: boolean,
    expected: Expected,
    pages: Uint8Array,
  ): string | undefined {
    const { kernel } = this
    for (let i = 0; i < length; i++) kernel.frames[i] = frames[i]!
    kernel.reset()
    let verdict: string | undefined
    try {
      const step = kernel.decode(available, maxPages, track)
      verdict = expected.refusedAt >= 0 ? 'accepted' : this.#differsFrom(expected, step)
    } catch (error) {
      if (!isLTXError(error, 'bad-page')) return `threw ${String(error)}`
      if (expected.refusedAt < 0) verdict = `refused: ${error.message}`
      else if (error.offset !== expected.refusedAt)
        verdict = `refused at ${error.offset}, not ${expected.refusedAt}`
    }
    const size = expected.pages * kernel.pageSize + Math.max(0, expected.begun)
    if (bytesOf(kernel.pages).compare(pages, 0, size, 0, size) !== 0) verdict ??= 'decoded other bytes'
    if (track && expected.refusedAt < 0) verdict ??= this.#sumsDiffer(expected, frames)
    if (bytesOf(kernel.frames).compare(frames, 0, length, 0, length) !== 0) verdict ??= 'changed its input'
    return verdict ?? this.#guard(length, expected)
  }

  #differsFrom(expected: Expected, step: ReturnType<PageKernel['decode']>): string | undefined {
    const { pgnos, frameSizes } = this.kernel
    for (const name of ['pages', 'consumed', 'end', 'hashed'] as const) {
      if (step[name] !== expected[name]) return `${name} is ${step[name]}, not ${expected[name]}`
    }
    for (let i = 0; i < expected.pages; i++) {
      if (pgnos[i] !== expected.pgnos[i]) return `page number ${pgnos[i]}, not ${expected.pgnos[i]}`
      if (frameSizes[i] !== expected.frameSizes[i]) return `frame of ${frameSizes[i]} bytes`
    }
    return undefined
  }

  #sumsDiffer(expected: Expected, frames: Uint8Array): string | undefined {
    const { kernel } = this
    const { pageSize } = kernel
    const file = fresh()
    let at = 0
    for (let i = 0; i < expected.pages; i++) {
      const page = kernel.pages.subarray(i * pageSize, (i + 1) * pageSize)
      addBytes(file, frames, at, at + (frames[at + 5] === 0 ? 6 : 10))
      addBytes(file, page)
      const [data, number] = [Uint32Array.of(0, 0), fresh()]
      addBytes(data, page)
      if (kernel.dataSums[2 * i] !== data[0] || kernel.dataSums[2 * i + 1] !== data[1])
        return `data sum of page ${i}`
      addBytes(number, frames, at, at + 4)
      addBytes(number, page)
      if (sumAt(kernel.pageSums, i) !== (finished(number) | (1n << 63n))) return `page sum of page ${i}`
      at += expected.frameSizes[i]!
    }
    addBytes(file, frames, at, expected.consumed)
    return kernel.digest() === finished(file) ? undefined : 'file checksum'
  }

  #guard(length: number, expected: Expected): string | undefined {
    const { kernel } = this
    const { pages, frames, pgnos, frameSizes, pageSums, dataSums, pageSize, backend } = kernel
    const whole = expected.pages * pageSize
    const written = whole + Math.max(0, expected.begun)
    const wild = (backend === 'wasm' && written > 0) || expected.begun >= 0 ? OVERSHOOT[backend] : 0
    const limit = backend === 'wasm' ? Number.POSITIVE_INFINITY : whole + pageSize
    return this.#changedBut([
      [pages, Math.min(written + wild, limit)],
      [frames, length],
      [pgnos, 4 * expected.pages],
      [frameSizes, 4 * expected.pages],
      [pageSums, 8 * expected.pages],
      [dataSums, 8 * expected.pages],
    ])
  }

  /**
   * Encodes pages that are in place and returns what is wrong about the memory after it, whatever the frames: those may be written
   * up to their end and a little further. Leaves the garbage as it was.
   */
  encode(count: number, track: boolean): string | undefined {
    const { pages, frames, pgnos, frameSizes, pageSums, dataSums, pageSize, backend } = this.kernel
    const [before, numbers] = [pages.slice(0, count * pageSize), pgnos.slice(0, count)]
    const size = this.kernel.encode(count, track)
    if (bytesOf(pages).compare(before, 0, before.byteLength, 0, before.byteLength) !== 0)
      return 'changed a page'
    if (bytesOf(pgnos.subarray(0, count)).compare(bytesOf(numbers)) !== 0) return 'changed a page number'
    return this.#changedBut([
      [pages, count * pageSize],
      [frames, size + (backend === 'wasm' ? OVERSHOOT.wasm : 0)],
      [pgnos, 4 * count],
      [frameSizes, 4 * count],
      [pageSums, 8 * count],
      [dataSums, 8 * count],
    ])
  }

  /** Puts garbage back where a call may have written, in the first bytes of views; then all memory must be garbage again. */
  #changedBut(allowed: readonly (readonly [Uint8Array | Uint32Array, number])[]): string | undefined {
    const { pages, frames } = this.kernel
    for (const [view, size] of allowed) this.#restore(view, size)
    const whole = this.#guarded.get(pages.buffer)!
    for (const { from, to } of this.#own) whole.memory.copy(whole.garbage, from, from, to)
    for (const [buffer, { memory, garbage }] of this.#guarded) {
      if (memory.compare(garbage) === 0) continue
      const at = memory.findIndex((byte, i) => byte !== garbage[i])
      garbage.copy(memory)
      const place =
        buffer === pages.buffer
          ? `pages begin at ${pages.byteOffset}, frames at ${frames.byteOffset}`
          : 'no page'
      return `wrote at ${at}, ${place}`
    }
    return undefined
  }

  #restore(view: Uint8Array | Uint32Array, size: number): void {
    const { memory, garbage } = this.#guarded.get(view.buffer)!
    garbage.copy(
      memory,
      view.byteOffset,
      view.byteOffset,
      Math.min(view.byteOffset + size, memory.byteLength),
    )
  }
}
