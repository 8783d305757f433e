import { rmSync, writeFileSync } from 'node:fs'
import type { TempFolder } from '@sqlstream/testkit'
import { writeFile } from './write-file.ts'

/** A store in a folder that takes LTX files only while its gate is open, and none while it is broken. */
export class GatedStore {
  /** To be named in `drivers`. */
  readonly driver: string
  readonly url: string
  /** Where the files are. */
  readonly folder: string
  readonly #gate: string
  readonly #broken: string

  constructor(folder: TempFolder) {
    const file = new URL('../../../../packages/storage-file/dist/index.js', import.meta.url).href
    this.folder = folder.join('gated')
    this.#gate = folder.join('gate-is-open')
    this.#broken = folder.join('store-is-broken')
    const places = { file, gate: this.#gate, broken: this.#broken }
    this.driver = writeFile(folder, 'gated.mjs', `const places = ${JSON.stringify(places)}\n${DRIVER}`)
    this.url = `gated://store${this.folder}`
    this.open()
  }

  open(): void {
    writeFileSync(this.#gate, '')
  }

  shut(): void {
    rmSync(this.#gate, { force: true })
  }

  break(): void {
    writeFileSync(this.#broken, '')
  }

  mend(): void {
    rmSync(this.#broken, { force: true })
  }
}

const DRIVER = `
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
const { FileStore } = await import(places.file)

function check() {
  if (!existsSync(places.broken)) return
  throw Object.assign(new Error('the store is away'), {
    name: 'StorageError', code: 'unavailable', transient: true, driver: 'gated', operation: 'put', hint: 'wait for it',
  })
}

export default {
  name: 'gated',
  schemes: ['gated'],
  async open({ pathname }) {
    check()
    const inner = new FileStore(decodeURIComponent(pathname))
    return {
      driver: inner.driver,
      capabilities: inner.capabilities,
      list: (options) => inner.list(options),
      head: (key, options) => inner.head(key, options),
      get: (key, options) => inner.get(key, options),
      delete: (keys, options) => inner.delete(keys, options),
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      async put(key, body, options) {
        check()
        while (key.endsWith('.ltx') && !existsSync(places.gate)) await sleep(5, undefined, { signal: options?.signal })
        return await inner.put(key, body, options)
      },
    }
  },
}
`
