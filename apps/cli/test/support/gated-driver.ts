import { rmSync } from 'node:fs'
import type { TempFolder } from '@sqlstream/testkit'
import { writeDriver } from './driver-module.ts'
import { writeFile } from './write-file.ts'

/** A configuration with the scheme `gated://`: a folder that takes no LTX file while the gate is closed, as a service that is down. */
export class Gate {
  readonly #folder: TempFolder

  constructor(folder: TempFolder) {
    this.#folder = folder
    const errors = new URL('../../../../packages/storage/dist/index.js', import.meta.url).href
    const setup = `import { StorageError } from ${JSON.stringify(errors)}
import { existsSync } from 'node:fs'
const gate = ${JSON.stringify(folder.join('closed'))}
`
    writeDriver(folder, { scheme: 'gated', setup, methods: METHODS })
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

const METHODS = `
      async put(key, body, options) {
        if (existsSync(gate) && key.includes('ltx/'))
          throw new StorageError('the gate is closed', { code: 'unavailable', driver: 'file', operation: 'put', key })
        return await inner.put(key, body, options)
      },
`
