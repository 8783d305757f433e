import type { PageKernel } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { BATCH_BYTES, withKernel } from '../../src/capture/kernels.ts'

const itself = (kernel: PageKernel): Promise<PageKernel> => Promise.resolve(kernel)

describe('kernels of captures', () => {
  test('one after the other share one, also after a failure', async () => {
    const first = await withKernel(4096, itself)
    expect(first.capacity).toBe(BATCH_BYTES / 4096)
    let used: PageKernel | undefined
    const failed = withKernel(4096, (kernel) => {
      used = kernel
      return Promise.reject(new Error('the disk is full'))
    })
    await expect(failed).rejects.toThrow('the disk is full')
    expect(used).toBe(first)
    expect(await withKernel(4096, itself)).toBe(first)
  })

  test('two at once never have the same', async () => {
    const kernels = await withKernel(4096, async (outer) => [outer, await withKernel(4096, itself)])
    expect(new Set(kernels).size).toBe(2)
  })

  test('each page size has its own', async () => {
    const small = await withKernel(512, itself)
    expect(small.pageSize).toBe(512)
    expect(await withKernel(4096, itself)).not.toBe(small)
    expect(await withKernel(512, itself)).toBe(small)
  })

  test('of many at once only some are kept', async () => {
    const nested = async (depth: number): Promise<PageKernel[]> =>
      depth === 0 ? [] : withKernel(8192, async (kernel) => [kernel, ...(await nested(depth - 1))])
    const first = await nested(20)
    const second = await nested(20)
    expect(new Set(first).size).toBe(20)
    expect(second.filter((kernel) => first.includes(kernel))).toHaveLength(4)
  })
})
