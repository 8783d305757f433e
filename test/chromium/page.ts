import * as ltx from '@sqlstream/ltx'
import * as lz4 from '@sqlstream/ltx/lz4'
import * as wal from '@sqlstream/wal'
import * as ltxVectors from '../../packages/ltx-format/test/vectors.ts'
import * as walVectors from '../../packages/wal-format/test/vectors.ts'

/** What became of the vectors, in a page or in a worker. */
export interface Report {
  readonly where: 'page' | 'worker'
  /** Whether the platform compiles WebAssembly here at all. */
  readonly compiles: boolean
  /** What the Content-Security-Policy stopped: directive and address. */
  readonly violations: readonly string[]
  readonly passed: readonly string[]
  readonly failed: readonly string[]
}

/** Golden files as the server lists them. */
export interface GoldenList {
  readonly files: readonly { readonly name: string; readonly checksum: string }[]
  readonly image: string
}

/*
 * Runs in both: the page's address is /?asked=…&expected=…&where=…, and a worker is this same script with the same query. The page
 * leaves a promise of its report in `globalThis.report`.
 */
const query = new URLSearchParams(location.search)
const inPage = 'document' in globalThis
const violations: string[] = []
addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
  violations.push(`${effectiveDirective} ${blockedURI}`)
})

if (!inPage) postMessage(await runVectors('worker'))
else if (query.get('where') === 'worker') Object.assign(globalThis, { report: askWorker() })
else Object.assign(globalThis, { report: runVectors('page') })

async function runVectors(where: 'page' | 'worker'): Promise<Report> {
  const backend = { asked: query.get('asked'), expected: query.get('expected') } as ltxVectors.Backend
  // The longer ones last: violations are told a little later than they happen, and both packages try to compile early.
  const all = [
    ...walVectors.vectors(wal, backend),
    ...ltxVectors.vectors({ ...ltx, lz4 }, backend, await fetchGolden()),
  ]
  const canCompile = compiles()
  const passed: string[] = []
  const failed: string[] = []
  for (const { name, run } of all) {
    try {
      await run()
      passed.push(name)
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
  return { where, compiles: canCompile, violations, passed, failed }
}

async function fetchGolden(): Promise<ltxVectors.Golden> {
  const { files, image } = (await (await fetch('/golden.json')).json()) as GoldenList
  const withBytes = files.map(async ({ name, checksum }) => {
    const response = await fetch(`/golden/${name}`)
    return { name, checksum, bytes: new Uint8Array(await response.arrayBuffer()) }
  })
  return { files: await Promise.all(withBytes), image }
}

/** Tries the smallest module there is. */
function compiles(): boolean {
  try {
    return (
      new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)) instanceof WebAssembly.Module
    )
  } catch {
    return false
  }
}

function askWorker(): Promise<Report> {
  const worker = new Worker(`/vectors.js${location.search}`, { type: 'module' })
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Report>) => resolve(data)
    worker.onerror = (event) => reject(new Error(`worker: ${event.message}`))
  })
}
