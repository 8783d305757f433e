import { rmSync } from 'node:fs'
import type { TempFolder } from '@sqlstream/testkit'
import { writeFile } from './write-file.ts'

/** A configuration with the scheme `gated://`: a folder that takes no LTX file while the gate is closed, as a service that is down. */
export class Gate {
  readonly #folder: TempFolder

  constructor(folder: TempFolder) {
    this.#folder = folder
    const packages = new URL('../../../../packages/', import.meta.url).href
    const imports = `import { FileStore } from '${packages}storage-file/dist/index.js'
import { StorageError } from '${packages}storage/dist/index.js'
import { existsSync } from 'node:fs'
const gate = ${JSON.stringify(folder.join('closed'))}
`
    writeFile(folder, 'gated.mjs', `${imports}${DRIVER}`)
    writeFile(folder, 'sqlstream.yml', 'drivers: [./gated.mjs]\ndatabases: []\n')
  }

  /** The URL of a folder. */
  url(name: string): string {
    return `gated://${this.#folder.join(name)}`
  }

  close(): void {
    writeFile(this.#folder, 'closed', '')
  }

  open(): void {
    rmSync(this.#folder.join('closed'))
  }
}

const DRIVER = `
export default {
  name: 'file',
  schemes: ['gated'],
  async open({ pathname }) {
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
        if (existsSync(gate) && key.includes('ltx/'))
          throw new StorageError('the gate is closed', { code: 'unavailable', driver: 'file', operation: 'put', key })
        return await inner.put(key, body, options)
      },
    }
  },
}
`
