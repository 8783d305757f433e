import { decompressBlock } from '../lz4.ts'
import { WASM_BASE64, WASM_SIZE } from './wasm-base64.ts'

/** What the kernel's module exports; see kernel/ltx.ts. */
export interface KernelExports {
  readonly FILE_STATE: WebAssembly.Global
  readonly RESULT: WebAssembly.Global
  readonly HEAP: WebAssembly.Global
  readonly SLACK: WebAssembly.Global
  place(
    pageSize: number,
    pages: number,
    pgnos: number,
    frames: number,
    frameSizes: number,
    pageSums: number,
    dataSums: number,
  ): void
  hash(at: number, size: number): void
  encode(count: number, track: boolean): number
  decode(from: number, available: number, first: number, maxPages: number, track: boolean): void
  hashOldPage(slot: number, header: number, track: boolean): void
  checksumPages(count: number): void
}

const PAGE = 65536

let compile = (): WebAssembly.Module => {
  try {
    const compiled = new WebAssembly.Module(unpack(WASM_BASE64, WASM_SIZE))
    compile = () => compiled
  } catch (error) {
    // It will not be allowed the next time either, and each try may be reported as a violation of the page's policy.
    compile = () => {
      throw error
    }
  }
  return compile()
}

/** An instance over a memory of its own with at least `size` bytes that never grows. Throws what WebAssembly throws. */
export function instantiate(size: number): { readonly memory: Uint8Array; readonly exports: KernelExports } {
  const module = compile()
  const pages = Math.ceil(size / PAGE)
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  return { memory: new Uint8Array(memory.buffer), exports: exports as unknown as KernelExports }
}

/** The module travels as an LZ4 block: with base64's third added, it is still smaller than it is. */
function unpack(text: string, size: number): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const block = new Uint8Array(binary.length)
  for (let i = 0; i < block.length; i++) block[i] = binary.charCodeAt(i)
  const bytes = new Uint8Array(size)
  decompressBlock(block, bytes)
  return bytes
}
