import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { WASM_BASE64 } from '../packages/ltx-format/src/kernel/wasm-base64.ts'
import { WASM_BASE64 as WAL_WASM_BASE64 } from '../packages/wal-format/src/kernel/wasm-base64.ts'
import { bundle } from './support/bundle.ts'
import { readText } from './support/workspace.ts'

/** Bytes, for browsers and bundlers: KB are 1000 of them. */
const PACKAGES = [
  {
    name: '@sqlstream/ltx',
    folder: 'packages/ltx-format',
    limit: 40_000,
    wasm: WASM_BASE64,
    names: 'formatTXID, parseFilename',
    namesLimit: 1_000,
  },
  {
    name: '@sqlstream/wal',
    folder: 'packages/wal-format',
    limit: 12_000,
    wasm: WAL_WASM_BASE64,
    names: 'decodeWALHeader, isWALResetBugFixed',
    namesLimit: 3_000,
  },
] as const

async function minified(text: string): Promise<string> {
  return await bundle({ entry: { text }, minify: true })
}

describe.each(PACKAGES)('$name in a bundle', ({ name, folder, limit, wasm, names, namesLimit }) => {
  test(`is below ${limit} bytes, minified, with everything it exports, and its README says how large it is`, async () => {
    const code = await minified(`export * from '${name}'`)
    const sizes = [code.length, gzipSync(code, { level: 9 }).length]
    expect(code.length, `${code.length} bytes minified`).toBeLessThan(limit)
    const claim = /(\d+) KB minified, (\d+) KB gzipped/.exec(readText(`${folder}/README.md`))
    expect(claim?.slice(1), `sizes in the README, which are ${sizes}`).toHaveLength(2)
    for (const [i, size] of sizes.entries()) {
      expect(Math.abs(Number(claim![i + 1]) * 1000 - size), `README against ${sizes}`).toBeLessThan(1000)
    }
    // Otherwise the next test would find nothing.
    expect(code).toContain(wasm)
  })

  test(`is below ${namesLimit} bytes, without WebAssembly, for who imports ${names} alone`, async () => {
    const code = await minified(`export { ${names} } from '${name}'`)
    expect(code).not.toContain(wasm.slice(0, 100))
    expect(code).not.toContain('WebAssembly')
    expect(code.length, `${code.length} bytes`).toBeLessThan(namesLimit)
  })

  test('is nothing for who imports nothing', async () => {
    expect((await minified(`import '${name}'`)).trim()).toBe('')
  })

  test('has no dependency at run time', () => {
    const manifest = JSON.parse(readText(`${folder}/package.json`)) as Record<string, unknown>
    expect(manifest['sideEffects']).toBe(false)
    for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundledDependencies']) {
      expect(manifest[kind] ?? {}).toEqual({})
    }
  })
})

test('pages of one file can be read without the writing half, the pool and the kernel', async () => {
  const code = await minified(`export { readHeader, readPage, readPageIndex } from '@sqlstream/ltx'`)
  expect(code).not.toContain('WebAssembly')
  expect(code.length).toBeLessThan(12_000)
})

test.each(['pool', 'lz4', 'small-files'])(
  'the entry @sqlstream/ltx/%s can be bundled beside the main one',
  async (entry) => {
    const code = await minified(`export * from '@sqlstream/ltx'; export * from '@sqlstream/ltx/${entry}'`)
    expect(code.split(WASM_BASE64)).toHaveLength(2)
    expect(code.length).toBeLessThan(46_000)
  },
)

test('the bundler refuses what a browser does not have', async () => {
  await expect(
    bundle({ entry: { text: `import { readFileSync } from 'node:fs'\nreadFileSync('x')\n` } }),
  ).rejects.toThrow(/node:fs/)
})
