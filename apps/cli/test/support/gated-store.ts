import { rmSync, writeFileSync } from 'node:fs'
import type { TempFolder } from '@sqlstream/testkit'
import { writeDriver } from './driver-module.ts'

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
    this.folder = folder.join('gated')
    this.#gate = folder.join('gate-is-open')
    this.#broken = folder.join('store-is-broken')
    const places = { gate: this.#gate, broken: this.#broken }
    const setup = `const places = ${JSON.stringify(places)}\n${SETUP}`
    this.driver = writeDriver(folder, { scheme: 'gated', setup, open: 'check()', methods: METHODS })
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

const SETUP = `
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

function check() {
  if (!existsSync(places.broken)) return
  throw Object.assign(new Error('the store is away'), {
    name: 'StorageError', code: 'unavailable', transient: true, driver: 'gated', operation: 'put', hint: 'wait for it',
  })
}
`

const METHODS = `
      async put(key, body, options) {
        check()
        while (key.endsWith('.ltx') && !existsSync(places.gate)) await sleep(5, undefined, { signal: options?.signal })
        return await inner.put(key, body, options)
      },
`
