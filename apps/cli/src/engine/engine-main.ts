import type { ToEngine } from '../library/messages.ts'
import { PROTOCOL } from '../library/messages.ts'
import { Engine } from './engine.ts'
import { Outbox } from './outbox.ts'

// The process that the library starts. It ends when it is told to, or when the application is gone.

/** Beyond the time for uploads: then something hangs. */
const HANGS_MS = 10_000

const outbox = new Outbox((message, taken) => {
  if (process.connected) process.send?.(message, undefined, undefined, taken)
  else taken()
})
const engine = new Engine(outbox)

function end(): void {
  if (process.connected) process.disconnect()
}

async function orphaned(): Promise<void> {
  setTimeout(() => process.exit(1), engine.orphanMs + HANGS_MS).unref()
  await engine.orphaned()
  process.exit(0)
}

// A terminal's Ctrl-C and a service manager's stop reach every process of a group. The application decides what follows: it closes, or it ends.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined)
// Its reader may be gone.
process.stderr.on('error', () => undefined)

process.once('disconnect', () => void orphaned())
process.on('message', (message) => {
  void engine.receive(message as ToEngine).then((isLast) => {
    if (isLast) end()
  })
})
if (process.connected) void outbox.message({ type: 'hello', version: PROTOCOL })
else process.exit(1)
