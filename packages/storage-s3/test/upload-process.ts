import { S3Store } from '../src/index.ts'
import { localOptions } from './conformance-options.ts'

/** Uploads so many MiB and prints by how many MiB its memory grew at most. */
const [endpoint = '', size = ''] = process.argv.slice(2)
const store = await S3Store.open(localOptions(endpoint))
const chunk = new Uint8Array(1 << 20).fill(7)
const body = {
  open: async function* () {
    for (let i = 0; i < Number(size); i++) yield chunk
  },
}
await store.put('small', chunk)
const before = process.resourceUsage().maxRSS
await store.put('large', body)
console.log(Math.round((process.resourceUsage().maxRSS - before) / 1024))
await store[Symbol.asyncDispose]()
