import { getBytes, isStorageError } from '@sqlstream/storage'
import { FileStore } from '../src/index.ts'

// Adds one to a counter in a store, again and again, and prints each value that it has made.
const [root, times] = process.argv.slice(2)
const store = new FileStore(root!)

for (let done = 0; done < Number(times); ) {
  const { etag } = await store.head('counter')
  const value = Number(new TextDecoder().decode(await getBytes(store, 'counter'))) + 1
  // Equal sizes, so that they do not help.
  const body = new TextEncoder().encode(String(value).padStart(12, '0'))
  try {
    await store.put('counter', body, { precondition: { kind: 'match', etag } })
    done += 1
    process.stdout.write(`${value}\n`)
  } catch (error) {
    if (!isStorageError(error, 'precondition-failed')) throw error
  }
}
