import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One file of the page. */
export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
}

/** The page by the paths of its files; `index.html` is the page itself. */
export type Page = ReadonlyMap<string, PageFile>

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  wasm: 'application/wasm',
}

/** Where the page asks for the replica, below its own address. */
export const REPLICA_PATH = 'replica/'

/** The empty mark that the page carries for this address. */
const MARK = /(<meta name="sqlstream-replica" content=")(")/

/** What the build has put beside this code, told where the replica is. */
export async function readPage(folder = fileURLToPath(new URL('../page', import.meta.url))): Promise<Page> {
  const page = new Map<string, PageFile>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const name = relative(folder, path).split(sep).join('/')
    const bytes = await readFile(path)
    const type = TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
    page.set(name, { type, bytes: name === 'index.html' ? withReplica(bytes) : bytes })
  }
  return page
}

function withReplica(html: Buffer): Buffer {
  const text = html.toString()
  if (!MARK.test(text)) throw new Error('the page does not say where its replica goes')
  return Buffer.from(text.replace(MARK, `$1${REPLICA_PATH}$2`))
}
