import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { WASM_BASE64, WASM_SIZE } from '../packages/ltx-format/src/kernel/wasm-base64.ts'
import { HEAP, SLACK } from '../packages/ltx-format/src/kernel/wasm-kernel.ts'
import { decompressBlock } from '../packages/ltx-format/src/lz4.ts'
import { HEAP as WAL_HEAP } from '../packages/wal-format/src/kernel/wal-kernel.ts'
import { compileKernel, KERNELS, renderModule } from '../scripts/kernel-modules.ts'
import { ROOT } from './support/workspace.ts'

const [LTX, WAL] = KERNELS as [(typeof KERNELS)[0], (typeof KERNELS)[0]]

function constants(wasm: Uint8Array): Record<string, number> {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(wasm)), {
    env: { memory },
  })
  const globals = Object.entries(exports).filter(([, value]) => value instanceof WebAssembly.Global)
  return Object.fromEntries(globals.map(([name, global]) => [name, (global as WebAssembly.Global).value]))
}

describe.each(KERNELS)('the kernel $entry', (kernel) => {
  test('compiled anew is, byte for byte, the module that is committed', async () => {
    const built = renderModule(await compileKernel(ROOT, kernel), kernel)
    expect(built).toBe(readFileSync(join(ROOT, kernel.output), 'utf8'))
  })

  test('compiles to the same bytes twice', async () => {
    const [one, two] = await Promise.all([compileKernel(ROOT, kernel), compileKernel(ROOT, kernel)])
    expect(Buffer.from(one).equals(two)).toBe(true)
  })

  test('imports its memory and nothing else', async () => {
    const module = new WebAssembly.Module(new Uint8Array(await compileKernel(ROOT, kernel)))
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }])
  })
})

test('the packed text is an LZ4 block of the module, and shorter than it', async () => {
  const output = new Uint8Array(WASM_SIZE)
  expect(decompressBlock(Buffer.from(WASM_BASE64, 'base64'), output)).toBe(WASM_SIZE)
  expect(Buffer.from(await compileKernel(ROOT, LTX)).equals(output)).toBe(true)
  expect(WASM_BASE64.length).toBeLessThan(0.8 * WASM_SIZE)
})

test('the owners of the memories lay their windows where the kernels say', async () => {
  expect(constants(await compileKernel(ROOT, LTX))).toMatchObject({ HEAP, SLACK })
  expect(constants(await compileKernel(ROOT, WAL))).toMatchObject({ HEAP: WAL_HEAP })
})
