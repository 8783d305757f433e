import { createHash } from 'node:crypto'
import type { ETag } from '@sqlstream/storage'
import { FileStore } from '../src/index.ts'

// Puts objects of all kinds until it is killed. An object is its own proof: a hash and what was hashed.
// Prints "try <key> <hash>" before and "done <key> <hash>" after each put.
const [root, start] = process.argv.slice(2)
const store = new FileStore(root!)
const etags = new Map<string, ETag>()

for (let n = Number(start); ; n++) {
  const kind = n % 3
  // Absent needs new keys; the others come back to the same ones.
  const key = kind === 0 ? `new/${n % 7}/${n}` : `old/${n % 5}`
  const content = Buffer.alloc(((n * 7919) % 300_000) + 1, `${n} `)
  const hash = createHash('sha256').update(content).digest()
  process.stdout.write(`try ${key} ${hash.toString('hex')}\n`)
  const etag = etags.get(key)
  const info = await store.put(
    key,
    {
      async *open() {
        yield hash
        for (let at = 0; at < content.length; at += 20_000) yield content.subarray(at, at + 20_000)
      },
    },
    {
      precondition:
        kind === 0
          ? { kind: 'absent' }
          : kind === 1 && etag !== undefined
            ? { kind: 'match', etag }
            : undefined,
    },
  )
  if (kind !== 0) etags.set(key, info.etag)
  process.stdout.write(`done ${key} ${hash.toString('hex')}\n`)
}
