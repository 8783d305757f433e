// The program of the writer process: an application that knows nothing of replication. Started by
// WriterProcess with WriterOptions as JSON in its only argument; ends when told to over IPC, when its
// parent is gone, or after `commits`.
import { HostileWriter } from './hostile-writer.ts'
import type { WriterOptions } from './writer-options.ts'

const options = JSON.parse(process.argv[2] ?? '') as WriterOptions
const writer = new HostileWriter(options)
let stopping = false
process.once('message', () => {
  stopping = true
})
// Without a parent nobody would ever end this process.
process.once('disconnect', () => {
  stopping = true
})

const sleeper = new Int32Array(new SharedArrayBuffer(4))
const began = performance.now()
let yielded = began
const limit = options.commits ?? Number.POSITIVE_INFINITY
while (!stopping && writer.commits < limit) {
  const due = options.rate === undefined ? 0 : began + (writer.commits * 1000) / options.rate
  const now = performance.now()
  // Sleeping in place keeps the pace even; a timer of the event loop is a millisecond late or more.
  if (due > now) Atomics.wait(sleeper, 0, 0, Math.min(due - now, 20))
  else writer.step()
  if (performance.now() - yielded > 10) {
    await new Promise(setImmediate)
    yielded = performance.now()
  }
}
const report = writer.close()
if (process.connected) {
  await new Promise<void>((resolve) => process.send?.(report, () => resolve()))
  process.disconnect()
}
