import { join } from 'node:path'
import { describeConformance } from '@sqlstream/storage-conformance'
import { describe, expect, it, test } from 'vitest'
import { SFTPStore } from '../src/index.ts'
import { optionsFor, withSSHD } from './sshd.ts'

// Without hard links there is no create-only; such a server also keeps no marks, so that ETags must do without.
for (const [name, deny] of [
  ['OpenSSH', []],
  ['OpenSSH without hard links and fsync', ['hardlink', 'fsync']],
] as const) {
  await withSSHD(
    (sshd) => {
      const open = (path: string, createRoot = true) =>
        SFTPStore.open({ ...optionsFor(sshd), path: join(sshd.root, path), createRoot })

      test(`${name}: conditionalPut is ${deny.length === 0}`, async () => {
        await using store = await open('backup')
        expect(store.capabilities).toEqual({ conditionalPut: deny.length === 0, consistentList: true })
      })
      describeConformance({ describe, it }, name, {
        open: () => open('backup/app'),
        openMissing: () => open('missing', false),
        manyKeys: deny.length === 0 ? 1005 : 200,
      })
    },
    { deny: [...deny] },
  )
}
