import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createKernel } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'

interface Outcome {
  readonly backend?: string
  readonly digest?: string
  readonly content?: string
  readonly error?: string
}

const script = fileURLToPath(new URL('startup-main.ts', import.meta.url))

/** A fresh process: two kernels, or why there are none. */
function start(backend: string, circumstance: string): Outcome[] {
  const node = ['--conditions=@sqlstream/source', script, backend, circumstance]
  return JSON.parse(execFileSync(process.execPath, node, { encoding: 'utf8' })) as Outcome[]
}

const normal = start('default', 'normal')

const refusals = ['no WebAssembly', 'no modules', 'no instances', 'no memory']

test('a fresh process gets the wasm kernel unless it asks for another', () => {
  expect(normal).toMatchObject([{ backend: 'wasm' }, { backend: 'wasm' }])
  expect(normal[0]).toEqual(normal[1])
  expect(start('auto', 'normal')).toEqual(normal)
  expect(start('wasm', 'normal')).toEqual(normal)
  expect(start('js', 'normal')).toEqual(normal.map((outcome) => ({ ...outcome, backend: 'js' })))
})

describe.each(refusals)('where there is %s', (circumstance) => {
  test('the js kernel takes over and gives the same bytes and sums', () => {
    const fallback = normal.map((outcome) => ({ ...outcome, backend: 'js' }))
    expect(start('default', circumstance)).toEqual(fallback)
    expect(start('auto', circumstance)).toEqual(fallback)
    expect(start('js', circumstance)).toEqual(fallback)
  })

  test('a program that insists on wasm gets an error that says why, each time', () => {
    const [first, second] = start('wasm', circumstance)
    expect(first!.error).toMatch(/WebAssembly|refused by the policy|could not allocate memory/)
    expect(second).toEqual(first)
  })
})

test('wrong options are wrong for every backend', () => {
  for (const backend of ['auto', 'wasm', 'js', undefined] as const) {
    for (const pageSize of [0, 256, 513, 131072, Number.NaN, -512]) {
      expect(() => createKernel({ backend, pageSize: pageSize as never })).toThrow(RangeError)
    }
    for (const batchBytes of [-1, Number.NaN, 2 ** 31]) {
      expect(() => createKernel({ backend, pageSize: 512, batchBytes })).toThrow(RangeError)
    }
    const kernel = createKernel({ backend, pageSize: 512, batchBytes: 1023 })
    expect(kernel.capacity).toBe(1)
    for (const count of [-1, 2, 0.5, Number.NaN]) {
      expect(() => kernel.encode(count, false)).toThrow(RangeError)
      expect(() => kernel.checksumPages(count)).toThrow(RangeError)
      expect(() => kernel.decode(0, count, false)).toThrow(RangeError)
    }
    for (const available of [-1, kernel.frames.byteLength + 1, 0.5, Number.NaN]) {
      expect(() => kernel.decode(available, 1, false)).toThrow(RangeError)
    }
  }
})
