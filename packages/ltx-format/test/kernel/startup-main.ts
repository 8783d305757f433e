import { createHash } from 'node:crypto'
import { createKernel, type KernelOptions } from '@sqlstream/ltx'
import { Random } from './random.ts'

/*
 * What a program gets from createKernel under circumstances that startup.test.ts arranges, as JSON: node startup-main.ts
 * <backend> <circumstance>
 */

const [backend, circumstance] = process.argv.slice(2)

function refuse(): never {
  throw new WebAssembly.CompileError('refused by the policy of this page')
}

if (circumstance === 'no WebAssembly') Reflect.deleteProperty(globalThis, 'WebAssembly')
if (circumstance === 'no modules') WebAssembly.Module = refuse as never
if (circumstance === 'no instances') WebAssembly.Instance = refuse as never
if (circumstance === 'no memory') {
  WebAssembly.Memory = (() => {
    throw new RangeError('could not allocate memory')
  }) as never
}

const options: KernelOptions = { pageSize: 4096, batchBytes: 65536 }

function work(): object {
  const kernel = createKernel(
    backend === 'default' ? options : { ...options, backend: backend as KernelOptions['backend'] },
  )
  const content = createHash('sha256')
  const random = new Random(1)
  for (let i = 0; i < 16; i++) {
    const page = kernel.pages.subarray(i * 4096, (i + 1) * 4096)
    random.fill(page.subarray(0, 256 * i))
    kernel.pgnos[i] = i + 1
  }
  kernel.hash(new Uint8Array(100))
  const size = kernel.encode(16, true)
  content.update(kernel.frames.subarray(0, size)).update(kernel.pageSums).update(kernel.dataSums)
  kernel.pages.fill(1)
  kernel.decode(size, 16, true)
  content.update(kernel.pages)
  return { backend: kernel.backend, digest: String(kernel.digest()), content: content.digest('hex') }
}

/** Twice: what was refused once is refused again, and does not half work. */
function tried(): object {
  try {
    return work()
  } catch (error) {
    return { error: String(error) }
  }
}

console.log(JSON.stringify([tried(), tried()]))
