import type { TempFolder } from '@sqlstream/testkit'
import { writeDriver } from './driver-module.ts'
import { writeFile } from './write-file.ts'

/**
 * Writes a configuration with the scheme `stalling://`: a folder whose `stallAt`-th call interrupts the process, as Ctrl-C would, and then hangs
 * half-way through its body until it is aborted. So the signal comes at the same step in each run.
 */
export function installStallingDriver(folder: TempFolder): void {
  writeDriver(folder, { scheme: 'stalling', setup: SETUP, methods: METHODS })
  writeFile(folder, 'sqlstream.yml', 'drivers: [./stalling.mjs]\ndatabases: []\n')
}

/** Variables for a run that is interrupted at the n-th `get` or `put` of a key that matches. */
export function stallAt(operation: 'get' | 'put', key: RegExp, nth: number): Record<string, string> {
  return { STALL_OPERATION: operation, STALL_KEY: key.source, STALL_NTH: String(nth) }
}

const SETUP = `
const { STALL_OPERATION, STALL_KEY, STALL_NTH } = process.env
let left = Number(STALL_NTH)

function isTheOne(operation, key) {
  return operation === STALL_OPERATION && new RegExp(STALL_KEY).test(key) && --left === 0
}

async function interrupted(signal) {
  const alive = setInterval(() => {}, 1000)
  try {
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      process.kill(process.pid, 'SIGINT')
    })
  } finally {
    clearInterval(alive)
  }
}

async function* half(chunks, signal) {
  for await (const chunk of chunks) {
    yield chunk.subarray(0, chunk.length / 2)
    await interrupted(signal)
  }
}
`

const METHODS = `
      async get(key, options) {
        const content = await inner.get(key, options)
        return isTheOne('get', key) ? { ...content, body: half(content.body, options.signal) } : content
      },
      async put(key, body, options) {
        if (!isTheOne('put', key)) return await inner.put(key, body, options)
        const chunks = () => (body instanceof Uint8Array ? [body] : body.open())
        return await inner.put(key, { open: () => half(chunks(), options.signal) }, options)
      },
`
