import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Work } from './interleaved.ts'
import { batchesOf } from './page-codec.ts'

/** What native/page-work.c can be told to do. */
export type NativeTask = 'encode' | 'compress' | 'decode' | 'decompress' | 'crc64' | 'sparse' | 'wal'

const NO_LIBRARY = 3

/** A C program that does the work on pages with the system's liblz4, on the same pages and frames, one task at a time. */
export class NativeProgram implements AsyncDisposable {
  /** Of liblz4. */
  readonly version: string
  /** Which way to a CRC-64 the processor lets it go. */
  readonly crc: string
  /** What it made of the pages. */
  readonly batches: readonly Buffer[]
  /** Checksum of the file that these frames make. */
  readonly checksum: bigint
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  private constructor(
    process: ChildProcessWithoutNullStreams,
    lines: AsyncIterator<string>,
    [version, checksum, crc]: readonly [string, bigint, string],
    batches: readonly Buffer[],
  ) {
    this.#process = process
    this.#lines = lines
    this.version = version
    this.checksum = checksum
    this.crc = crc
    this.batches = batches
  }

  /** Compiles and starts it in `folder`, or says why that cannot be done here. @throws Error when it does not work */
  static async start(
    folder: string,
    pages: Buffer,
    batches: readonly Buffer[],
  ): Promise<NativeProgram | { readonly reason: string }> {
    const source = fileURLToPath(new URL('../native/page-work.c', import.meta.url))
    const program = join(folder, 'page-work')
    const compiled = spawnSync('cc', ['-O3', '-march=native', '-o', program, source, '-ldl'], {
      encoding: 'utf8',
    })
    if (compiled.error !== undefined) return { reason: 'No native reference: there is no C compiler.' }
    if (compiled.status !== 0) throw new Error(compiled.stderr)
    const files = ['pages', 'frames', 'own-frames'].map((name) => join(folder, name))
    writeFileSync(files[0]!, pages)
    writeFileSync(files[1]!, Buffer.concat(batches))
    const child = spawn(program, files)
    let complaint = ''
    child.stderr.on('data', (text) => {
      complaint += text
    })
    const closed = once(child, 'close')
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const first = await lines.next()
    if (first.done === true) {
      const [code] = await closed
      if (code === NO_LIBRARY) return { reason: `No native reference: ${complaint.trim()}.` }
      throw new Error(`the native reference ended: ${complaint}`)
    }
    const [version = '', checksum, ...crc] = first.value.split(' ')
    const made = [version, BigInt(`0x${checksum}`), crc.join(' ')] as const
    return new NativeProgram(child, lines, made, batchesOf(readFileSync(files[2]!)))
  }

  /** @throws Error when it has ended */
  async run(task: NativeTask): Promise<{ readonly milliseconds: number; readonly checksum: bigint }> {
    this.#process.stdin.write(`${task}\n`)
    const answer = await this.#lines.next()
    if (answer.done === true) throw new Error(`the native reference ended at ${task}`)
    const [nanoseconds, checksum] = answer.value.split(' ')
    return { milliseconds: Number(nanoseconds) / 1e6, checksum: BigInt(`0x${checksum}`) }
  }

  work(task: NativeTask): Work {
    return { time: async () => (await this.run(task)).milliseconds }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#process, 'close')
    this.#process.stdin.end()
    await closed
  }
}
