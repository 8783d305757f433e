import { type SSHD, type SSHDOptions, serverOrReason, startSSHD } from '@sqlstream/testkit/servers'
import { afterAll, type TestAPI, test } from 'vitest'
import type { SFTPStoreOptions } from '../src/index.ts'

/** How to get at a server of the testkit, perhaps through a proxy. */
export function optionsFor(
  { host, port, user, keyPath, hostKey }: SSHD,
  through: { readonly port: number } = { port },
): SFTPStoreOptions {
  return { host, port: through.port, user, keyPath, hostKeys: [hostKey], knownHostsPaths: [] }
}

/** Starts OpenSSH for one test file. Without it, a test that says why is skipped instead of `tests`. */
export async function withSSHD(
  tests: (sshd: SSHD, test: TestAPI) => void,
  options: SSHDOptions = {},
): Promise<void> {
  const sshd = await serverOrReason('sshd', () => startSSHD(options))
  if ('reason' in sshd) {
    const { reason } = sshd
    test.skipIf(reason !== '')(reason, () => {})
    return
  }
  afterAll(() => sshd[Symbol.asyncDispose]())
  tests(sshd, test)
}
