import type { ReplayableBody } from '@sqlstream/storage'
import { openAzureStore } from '../src/index.ts'

const MIB = 2 ** 20
const [url] = process.argv.slice(2)
const store = await openAzureStore({
  account: 'acct',
  accountKey: 'a2V5',
  container: 'box',
  endpoint: `${url}/acct`,
})

// One chunk again and again: what becomes garbage in a source is not the upload's.
const chunk = new Uint8Array(MIB)

function body(chunks: number): ReplayableBody {
  return {
    open: async function* () {
      for (let i = 0; i < chunks; i++) yield chunk.fill(i)
    },
  }
}

await store.put('warm-up', body(1))
const before = process.memoryUsage.rss()
let most = before
const watching = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss())
}, 10)
const { size } = await store.put('large', body(1024))
clearInterval(watching)
console.log(JSON.stringify({ size, growth: most - before }))
