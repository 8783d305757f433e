/*
 * Compiles the kernels in packages/ltx-format/kernel and writes each as a TypeScript module that carries it as base64. The same
 * sources and the pinned compiler give the same bytes: test/kernel-build.test.ts compares. `--check` writes nothing and fails
 * when something differs.
 *
 *   node scripts/build-kernel.ts [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileKernel, KERNELS, renderModule } from './kernel-modules.ts'

const check = process.argv.includes('--check')
const root = fileURLToPath(new URL('..', import.meta.url))
let stale = 0
for (const kernel of KERNELS) {
  const wasm = await compileKernel(root, kernel)
  const text = renderModule(wasm, kernel)
  const path = join(root, kernel.output)
  const isStale = readFileSync(path, { encoding: 'utf8', flag: 'a+' }) !== text
  if (isStale) stale++
  if (isStale && !check) writeFileSync(path, text)
  console.log(
    `${kernel.output}: ${wasm.byteLength} bytes of WebAssembly, ${isStale ? 'changed' : 'as it was'}`,
  )
}
if (check && stale > 0) {
  console.error(
    'The sources in packages/ltx-format/kernel give other bytes. Run: node scripts/build-kernel.ts',
  )
  process.exitCode = 1
}
