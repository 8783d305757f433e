import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

let compiling: Promise<WebAssembly.Module | undefined> | undefined

/**
 * SQLite, compiled once for all threads of this process: a thread starts sooner with it, and its first statements run code that V8 has optimized for threads before it.
 * undefined where the file cannot be found or read, as in a bundle: each thread then looks for it by itself, and tells what it lacks.
 */
export function compiledSqlite(): Promise<WebAssembly.Module | undefined> {
  compiling ??= compile().catch(() => undefined)
  return compiling
}

async function compile(): Promise<WebAssembly.Module> {
  const file = createRequire(import.meta.url).resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm')
  return await WebAssembly.compile(await readFile(file))
}
