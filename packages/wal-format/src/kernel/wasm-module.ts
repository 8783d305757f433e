import { WASM_BASE64 } from './wasm-base64.ts'

/** What the kernel's module exports; see wal.ts among the kernel's sources. */
export interface KernelExports {
  readonly SUM: WebAssembly.Global
  readonly COMMIT_SUM: WebAssembly.Global
  readonly RESULT: WebAssembly.Global
  place(pageSize: number, fibonacci: number, pgnos: number, commits: number): void
  checksum(at: number, size: number, bigEndian: boolean): void
  scan(at: number, frames: number, salt1: number, salt2: number, bigEndian: boolean): number
}

const PAGE = 65536

let compile = (): WebAssembly.Module => {
  try {
    const compiled = new WebAssembly.Module(decodeBase64(WASM_BASE64))
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

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
