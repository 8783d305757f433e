// Copies the built page of @sqlstream/inspector to dist/page, from where `sqlstream inspect` serves it.
import { cp, rm } from 'node:fs/promises'

const built = new URL('dist/', import.meta.resolve('@sqlstream/inspector/package.json'))
const target = new URL('../dist/page/', import.meta.url)
await rm(target, { recursive: true, force: true })
await cp(built, target, { recursive: true })
