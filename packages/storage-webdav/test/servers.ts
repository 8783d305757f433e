import {
  serverOrReason,
  startApache,
  startLighttpd,
  startNginx,
  startRcloneWebDAV,
  type WebDAVServer,
} from '@sqlstream/testkit/servers'
import { afterAll, type TestAPI, test } from 'vitest'

export const SERVERS = {
  lighttpd: startLighttpd,
  Apache: startApache,
  nginx: startNginx,
  rclone: startRcloneWebDAV,
}

export type ServerName = keyof typeof SERVERS

/** Starts a server for one test file. Without it, a test that says why is skipped instead of `tests`. */
export async function withServer(
  name: ServerName,
  tests: (server: WebDAVServer, test: TestAPI) => void,
): Promise<void> {
  const server = await serverOrReason(name, SERVERS[name])
  if ('reason' in server) {
    const { reason } = server
    test.skipIf(reason !== '')(reason, () => {})
    return
  }
  afterAll(() => server[Symbol.asyncDispose]())
  tests(server, test)
}
