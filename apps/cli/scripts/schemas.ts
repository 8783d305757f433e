// Writes schemas/<output>.json, the committed JSON Schema of every --json output.
import { mkdir, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { SCHEMAS } from '../src/schema.ts'

const folder = new URL('../schemas/', import.meta.url)
await mkdir(folder, { recursive: true })
for (const [name, schema] of Object.entries(SCHEMAS)) {
  const json = { title: `sqlstream ${name}`, ...z.toJSONSchema(schema) }
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(json, null, 2)}\n`)
}
