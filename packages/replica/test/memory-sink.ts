import type { PageSink, RestoreResult, WrittenPages } from '../src/index.ts'

/** Keeps the restored database in memory. */
export class MemorySink implements PageSink {
  image: Uint8Array = new Uint8Array(0)
  result: RestoreResult | undefined
  aborted = 0
  /** Names of the calls, in order. */
  readonly calls: string[] = []
  #pageSize = 0

  async begin(shape: { pageSize: number; commit: number }): Promise<void> {
    this.calls.push('begin')
    this.#pageSize = shape.pageSize
  }

  async write(batch: WrittenPages): Promise<void> {
    this.calls.push('write')
    for (let i = 0; i < batch.count; i++) {
      const offset = ((batch.pgnos[i] as number) - 1) * this.#pageSize
      this.#resize(Math.max(this.image.byteLength, offset + this.#pageSize))
      this.image.set(batch.data.subarray(i * this.#pageSize, (i + 1) * this.#pageSize), offset)
    }
  }

  async truncate(commit: number): Promise<void> {
    this.calls.push('truncate')
    this.#resize(commit * this.#pageSize)
  }

  async commit(result: RestoreResult): Promise<void> {
    this.calls.push('commit')
    this.#resize(result.commit * this.#pageSize)
    this.result = result
  }

  async abort(): Promise<void> {
    this.aborted++
    this.image = new Uint8Array(0)
  }

  #resize(size: number): void {
    if (size === this.image.byteLength) return
    const image = new Uint8Array(size)
    image.set(this.image.subarray(0, size))
    this.image = image
  }
}
