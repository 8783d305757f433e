import * as wal from '@sqlstream/wal'
import { describe, test } from 'vitest'
import { type Backend, vectors } from './vectors.ts'

const backends: readonly Backend[] = [
  { asked: 'js', expected: 'js' },
  { asked: 'wasm', expected: 'wasm' },
  { asked: 'auto', expected: 'wasm' },
]

describe.each(backends)('asked for $asked', (backend) => {
  test.each(vectors(wal, backend))('$name', ({ run }) => run())
})
