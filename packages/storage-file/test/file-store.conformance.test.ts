import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withPrefix } from '@sqlstream/storage'
import { describeConformance } from '@sqlstream/storage-conformance'
import { afterAll, describe, it } from 'vitest'
import { FileStore } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'sqlstream-'))
afterAll(() => rmSync(folder, { recursive: true }))

const missing = join(folder, 'missing')

describeConformance({ describe, it }, 'FileStore', {
  open: async () => new FileStore(join(folder, 'bare')),
  openMissing: async () => new FileStore(missing, { createRoot: false }),
})
describeConformance({ describe, it }, 'FileStore below a prefix', {
  open: async () => withPrefix(new FileStore(join(folder, 'prefixed')), 'a/b-c/'),
  openMissing: async () => withPrefix(new FileStore(missing, { createRoot: false }), 'a/'),
})
