import { createJobRunner, type KernelRequest } from '@sqlstream/ltx/pool'

const answer = createJobRunner()

addEventListener('message', ({ data }: MessageEvent<KernelRequest>) => {
  const reply = answer(data)
  postMessage(reply, { transfer: [reply.buffer] })
})
