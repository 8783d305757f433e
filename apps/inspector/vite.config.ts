import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { defineConfig, type Plugin } from 'vite'

/** Relative addresses, so that the page works below any path. */
export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    // Everything comes from files of our own: a policy without 'unsafe-inline' and data: addresses must do.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  plugins: [sqliteModule()],
})

/** SQLite's module lies beside the page under a name that the page knows; what its package brings besides is never asked for. */
function sqliteModule(): Plugin {
  const file = createRequire(import.meta.url).resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm')
  return {
    name: 'sqlite-module',
    enforce: 'post',
    configureServer({ middlewares }) {
      middlewares.use('/sqlite3.wasm', (_request, response) => {
        response.setHeader('content-type', 'application/wasm')
        response.end(readFileSync(file))
      })
    },
    generateBundle(_options, bundle) {
      for (const name of Object.keys(bundle)) if (/^assets\/sqlite3-/.test(name)) delete bundle[name]
      this.emitFile({ type: 'asset', fileName: 'sqlite3.wasm', source: readFileSync(file) })
    },
  }
}
