import type { TempFolder } from '@sqlstream/testkit'
import { writeFile } from './write-file.ts'

/** A storage driver of a test, as source text: what goes on in a folder is as with `file:`, but for the calls that it says. */
export interface DriverModule {
  /** Of its URLs, and of the file. */
  readonly scheme: string
  /** Before everything else: constants, functions and imports. `FileStore` is there. */
  readonly setup: string
  /** What is done before a store is opened. */
  readonly open?: string
  /** Methods of the store that take the places of those of `inner`, each with a comma behind it. */
  readonly methods: string
}

/** Writes the module of a driver. Returns its path. */
export function writeDriver(folder: TempFolder, { scheme, setup, open = '', methods }: DriverModule): string {
  const url = new URL('../../../../packages/storage-file/dist/index.js', import.meta.url).href
  return writeFile(
    folder,
    `${scheme}.mjs`,
    `import { FileStore } from ${JSON.stringify(url)}
${setup}
export default {
  name: ${JSON.stringify(scheme)},
  schemes: [${JSON.stringify(scheme)}],
  async open({ pathname }) {
    ${open}
    const inner = new FileStore(decodeURIComponent(pathname))
    return {
      driver: inner.driver,
      capabilities: inner.capabilities,
      list: (options) => inner.list(options),
      head: (key, options) => inner.head(key, options),
      get: (key, options) => inner.get(key, options),
      put: (key, body, options) => inner.put(key, body, options),
      delete: (keys, options) => inner.delete(keys, options),
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      ${methods}
    }
  },
}
`,
  )
}
