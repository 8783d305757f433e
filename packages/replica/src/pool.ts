import type { KernelPool } from '@sqlstream/ltx'

/** Below this, starting threads takes longer than they save. */
const LEAST_WORK = 64_000_000
/** Small files go faster in this thread, whatever surrounds them. */
const LEAST_FILE = 4_000_000

/** Makes a pool for one piece of work, which closes it. In Node: `createKernelPool` of `@sqlstream/replica/node`. */
export type MakePool = () => KernelPool

/** Whether so many bytes (of LTX files to read, or of a database to encode) are worth the threads of a pool. */
export function isWorthPool(bytes: number): boolean {
  return bytes >= LEAST_WORK
}

/** The pool of one piece of work: started for its first large file, if there is enough to do. */
export class PoolOnDemand {
  readonly #make: MakePool | undefined
  #pool: KernelPool | undefined

  /** `totalBytes`: of all files to read. */
  constructor(make: MakePool | undefined, totalBytes: number) {
    this.#make = isWorthPool(totalBytes) ? make : undefined
  }

  /** For a file of this size; undefined when this thread does better. */
  for(fileBytes: number): KernelPool | undefined {
    if (fileBytes < LEAST_FILE) return undefined
    this.#pool ??= this.#make?.()
    return this.#pool
  }

  async close(): Promise<void> {
    await this.#pool?.close()
  }
}
