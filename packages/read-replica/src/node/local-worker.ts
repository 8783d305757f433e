import { parentPort, workerData } from 'node:worker_threads'
import { openReader } from '@sqlstream/follower'
import type { EngineRequest } from '../engine/messages.ts'
import { LocalEngine } from './local-engine.ts'

const { path } = workerData as { readonly path: string }
const engine = new LocalEngine(
  () => openReader(path),
  (reply) => parentPort?.postMessage(reply),
)

parentPort?.on('message', (request: EngineRequest) => engine.receive(request))
