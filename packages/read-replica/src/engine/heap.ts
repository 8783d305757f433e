import type { SqliteModule } from './sqlite-module.ts'

/** The memory of SQLite. The module looks each time whether it has grown, and that takes longer than reading a value. */
export class Heap {
  readonly #wasm: SqliteModule['wasm']
  #bytes: Uint8Array

  constructor(wasm: SqliteModule['wasm']) {
    this.#wasm = wasm
    this.#bytes = wasm.heap8u()
  }

  /** All of it, until SQLite runs again. */
  get bytes(): Uint8Array {
    // Memory that has grown is another buffer, and the old one has no bytes any more.
    if (this.#bytes.byteLength === 0) this.#bytes = this.#wasm.heap8u()
    return this.#bytes
  }
}
