import { parentPort } from 'node:worker_threads'
import { Engine } from '../engine/engine.ts'
import type { EngineRequest } from '../engine/messages.ts'

const engine = new Engine((message, transfer) => parentPort?.postMessage(message, transfer))

parentPort?.on('message', (request: EngineRequest) => engine.receive(request))
