import { openStore } from './fake-store.ts'

// Uploads a body of unknown size, and tells by how much the resident memory has grown at most; in MiB.
const [endpoint = '', mebibytes = ''] = process.argv.slice(2)
const MIB = 2 ** 20
const chunk = new Uint8Array(MIB)
await using store = openStore(endpoint)

async function upload(count: number): Promise<void> {
  const { size } = await store.put('large', {
    async *open() {
      for (let i = 0; i < count; i++) yield chunk
    },
  })
  if (size !== count * MIB) throw new Error(`${size} bytes were stored`)
}

await upload(20)
const before = process.memoryUsage().rss
await upload(Number(mebibytes))
console.log((process.resourceUsage().maxRSS * 1024 - before) / MIB)
