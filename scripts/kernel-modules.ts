import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import asc from 'assemblyscript/asc'
import { packBlock } from './pack-block.ts'

/** A module to build: entry file in packages/ltx-format/kernel and the generated source, relative to the repository. */
export interface Kernel {
  readonly entry: string
  readonly output: string
  /** Carried as an LZ4 block, for the package that can decompress one: 44 % less text. */
  readonly packed: boolean
}

/** One source tree, two modules: each package carries what it uses, and neither imports the other. */
export const KERNELS: readonly Kernel[] = [
  { entry: 'ltx.ts', output: 'packages/ltx-format/src/kernel/wasm-base64.ts', packed: true },
  { entry: 'wal.ts', output: 'packages/wal-format/src/kernel/wasm-base64.ts', packed: false },
]

/** First address that the compiler may use. Below lies what kernel/memory.ts and kernel/wal-memory.ts place by hand. */
const MEMORY_BASE = '20480'

/** The kernel as WebAssembly. Throws an Error with the compiler's words. */
export async function compileKernel(root: string, kernel: Kernel): Promise<Uint8Array> {
  const folder = join(root, 'packages/ltx-format/kernel')
  let wasm: Uint8Array | undefined
  const options = [
    ...[
      '-O3',
      '--converge',
      '--runtime',
      'stub',
      '--noAssert',
      '--enable',
      'simd',
      '--enable',
      'bulk-memory',
    ],
    ...['--importMemory', '--noExportMemory', '--memoryBase', MEMORY_BASE],
    ...['--baseDir', folder, '--outFile', 'kernel.wasm'],
  ]
  const { error, stderr } = await asc.main([kernel.entry, ...options], {
    readFile: (name, base) => readIfThere(`${base}/${name}`),
    writeFile: (_name, bytes) => {
      wasm = Buffer.from(bytes)
    },
    listFiles: () => [],
  })
  if (error || wasm === undefined) throw new Error(`${kernel.entry}: ${error?.message}\n${stderr.toString()}`)
  return wasm
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** The source of a module that exports the bytes. */
export function renderModule(wasm: Uint8Array, { packed }: Kernel): string {
  const base64 = Buffer.from(packed ? packBlock(wasm) : wasm).toString('base64')
  return [
    '// Written by scripts/build-kernel.ts from packages/ltx-format/kernel; not to be edited.',
    ...(packed
      ? ['/** Bytes of the module, unpacked. */', `export const WASM_SIZE = ${wasm.byteLength}`]
      : []),
    `/** The kernel, compiled to WebAssembly${packed ? ', as one LZ4 block' : ''}. */`,
    `export const WASM_BASE64: string =\n  '${base64}'`,
    '',
  ].join('\n')
}
