import * as ltx from '@sqlstream/ltx'
import * as lz4 from '@sqlstream/ltx/lz4'
import { describe, test } from 'vitest'
import { readGolden, readManifest } from './golden.ts'
import { type Backend, type Golden, vectors } from './vectors.ts'

const { files, transactions } = readManifest('l0-plain')
const golden: Golden = {
  files: files.map(({ path, fileChecksum }) => ({
    name: path,
    bytes: readGolden('l0-plain', 'replica', path),
    checksum: fileChecksum,
  })),
  image: transactions.at(-1)!.imageSha256,
}

const backends: readonly Backend[] = [
  { asked: 'js', expected: 'js' },
  { asked: 'wasm', expected: 'wasm' },
  { asked: 'auto', expected: 'wasm' },
]

describe.each(backends)('asked for $asked', (backend) => {
  test.each(vectors({ ...ltx, lz4 }, backend, golden))('$name', ({ run }) => run())
})
