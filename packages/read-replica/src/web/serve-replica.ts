import type { SlotRequest } from '../bridge/shared-slots.ts'
import { Engine } from '../engine/engine.ts'
import type { EngineReply, EngineRequest } from '../engine/messages.ts'

/** What of a worker's global scope is used; the types of this package are those of a page. */
interface WorkerScope {
  postMessage(message: EngineReply | SlotRequest, transfer: Transferable[]): void
  addEventListener(type: 'message', listener: (event: MessageEvent<EngineRequest>) => void): void
}

/** Runs SQLite in this worker: the whole script of the worker that `openReplica` is given. Call it once, before anything is awaited. */
export function serveReplica(): void {
  const scope = globalThis as unknown as WorkerScope
  const engine = new Engine((message, transfer) => scope.postMessage(message, transfer))
  scope.addEventListener('message', ({ data }) => engine.receive(data))
}
