import { existsSync, rmSync } from 'node:fs'
import type { TempFolder } from '@sqlstream/testkit'
import { writeDriver } from './driver-module.ts'
import { writeFile } from './write-file.ts'

/**
 * - `hold-reads`: reading an LTX file waits until this is over
 * - `hold-lists`: so does listing
 * - `hold-writes`: so does putting an LTX file
 * - `refuse-lists`: listing fails as it does without permission
 * - `refuse-files`: no LTX file can be put, as to a service that is down
 * - `refuse-writes`: nothing can be put
 */
export type StoreFault =
  | 'hold-reads'
  | 'hold-lists'
  | 'hold-writes'
  | 'refuse-lists'
  | 'refuse-files'
  | 'refuse-writes'

/** A configuration with the scheme `faulty://`: a folder with faults that come and go. */
export class FaultyFolder {
  readonly #folder: TempFolder

  constructor(folder: TempFolder) {
    this.#folder = folder
    const errors = new URL('../../../../packages/storage/dist/index.js', import.meta.url).href
    const setup = `import { StorageError } from ${JSON.stringify(errors)}
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
const at = (name) => ${JSON.stringify(folder.join('fault-'))} + name
${SETUP}`
    writeDriver(folder, { scheme: 'faulty', setup, methods: METHODS })
    writeFile(folder, 'sqlstream.yml', 'drivers: [./faulty.mjs]\ndatabases: []\n')
  }

  /** The URL of a folder. */
  url(name: string): string {
    return `faulty://${this.#folder.join(name)}`
  }

  begin(fault: StoreFault): void {
    writeFile(this.#folder, `fault-${fault}`, '')
  }

  end(fault: StoreFault): void {
    rmSync(this.#folder.join(`fault-${fault}`))
  }

  /** Whether a call has met the fault. */
  isMet(fault: StoreFault): boolean {
    return existsSync(this.#folder.join(`fault-${fault}-met`))
  }
}

const SETUP = `
async function held(fault, signal) {
  while (existsSync(at(fault))) {
    writeFileSync(at(fault + '-met'), '')
    await sleep(5, undefined, { signal })
  }
}
function refused(fault, code, operation, key) {
  if (!existsSync(at(fault))) return
  writeFileSync(at(fault + '-met'), '')
  throw new StorageError('refused by the test', { code, driver: 'file', operation, key })
}
`

const METHODS = `
      async *list(options) {
        refused('refuse-lists', 'permission-denied', 'list', options?.prefix)
        await held('hold-lists', options?.signal)
        yield* inner.list(options)
      },
      async get(key, options) {
        if (key.endsWith('.ltx')) await held('hold-reads', options?.signal)
        return await inner.get(key, options)
      },
      async put(key, body, options) {
        refused('refuse-writes', 'unavailable', 'put', key)
        if (key.endsWith('.ltx')) refused('refuse-files', 'unavailable', 'put', key)
        if (key.endsWith('.ltx')) await held('hold-writes', options?.signal)
        return await inner.put(key, body, options)
      },
`
