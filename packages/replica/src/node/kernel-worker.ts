import { parentPort } from 'node:worker_threads'
import { createJobRunner, type KernelRequest } from '@sqlstream/ltx/pool'

const answer = createJobRunner()

parentPort?.on('message', (request: KernelRequest) => {
  const reply = answer(request)
  parentPort?.postMessage(reply, [reply.buffer])
})
