import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readGolden, readManifest } from '../packages/ltx-format/test/golden.ts'
import type { GoldenList, Report } from './chromium/page.ts'
import type { PoolReport } from './chromium/pool-page.ts'
import type { ReplicaReport } from './chromium/replica-page.ts'
import { type PageServer, type Resource, servePages } from './chromium/server.ts'
import { launchBrowser, listen, type TestBrowser } from './support/browser.ts'
import { bundle } from './support/bundle.ts'
import { ROOT } from './support/workspace.ts'

/** Everything from our own origin, WebAssembly among it. */
const OPEN = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data:`
const STRICT = OPEN.replace(` 'wasm-unsafe-eval'`, '')

/** For what comes at some time. */
const PATIENCE = { timeout: 60_000 }

const resources = new Map<string, Resource>()
let browser: TestBrowser | undefined

beforeAll(async () => {
  for (const [path, script] of [
    ['/', '/vectors.js'],
    ['/pool', '/pool.js'],
    ['/replica', '/replica.js'],
  ]) {
    const body = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`
    resources.set(path!, { type: 'text/html', body })
  }
  for (const [path, file] of [
    ['/vectors.js', 'page.ts'],
    ['/pool.js', 'pool-page.ts'],
    ['/pool-worker.js', 'pool-worker.ts'],
    ['/replica.js', 'replica-page.ts'],
    ['/replica-worker.js', 'replica-worker.ts'],
  ]) {
    const body = await bundle({ entry: { file: `test/chromium/${file}` } })
    resources.set(path!, { type: 'text/javascript', body })
  }
  const wasm = createRequire(`${ROOT}/packages/read-replica/package.json`).resolve(
    '@sqlite.org/sqlite-wasm/sqlite3.wasm',
  )
  resources.set('/sqlite3.wasm', { type: 'application/wasm', body: readFileSync(wasm) })
  const { files, transactions } = readManifest('l0-plain')
  const list: GoldenList = {
    files: files.map(({ path, fileChecksum }) => ({ name: path, checksum: fileChecksum })),
    image: transactions.at(-1)!.imageSha256,
  }
  resources.set('/golden.json', { type: 'application/json', body: JSON.stringify(list) })
  for (const { path } of files) {
    resources.set(`/golden/${path}`, {
      type: 'application/octet-stream',
      body: readGolden('l0-plain', 'replica', path),
    })
  }
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]()
})

interface Visit<T> {
  /** What the page left in `globalThis.report`. */
  readonly report: T
  readonly complaints: readonly string[]
}

async function visit<T>(server: PageServer, path: string): Promise<Visit<T>> {
  const context = await browser!.browser.newContext()
  try {
    const page = await context.newPage()
    const complaints = listen(page)
    await page.goto(server.origin + path)
    const report = (await page.evaluate('report').catch((cause: unknown) => {
      throw new Error(`the page gave no report; it complained: ${complaints.join('; ')}`, { cause })
    })) as T
    return { report, complaints: [...complaints, ...server.missing.map((path) => `missing: ${path}`)] }
  } finally {
    await context.close()
  }
}

function runVectors(server: PageServer, query: Readonly<Record<string, string>>): Promise<Visit<Report>> {
  return visit(server, `/?${new URLSearchParams(query)}`)
}

describe.each(['page', 'worker'] as const)('in a %s of Chromium', (where) => {
  test.each([
    { asked: 'wasm', expected: 'wasm' },
    { asked: 'js', expected: 'js' },
    { asked: 'auto', expected: 'wasm' },
  ] as const)('every vector passes when $asked is asked for', async (backend) => {
    await using server = await servePages(resources, OPEN)
    const { report, complaints } = await runVectors(server, { ...backend, where })
    expect(report).toMatchObject({ where, compiles: true, violations: [], failed: [] })
    expect(report.passed.length).toBeGreaterThan(20)
    expect(complaints).toEqual([])
  })

  test('a policy without wasm-unsafe-eval is met by the plain backend, with one report for each package', async () => {
    await using server = await servePages(resources, STRICT)
    const { report, complaints } = await runVectors(server, { asked: 'auto', expected: 'js', where })
    expect(report).toMatchObject({ where, compiles: false, failed: [] })
    expect(report.passed.length).toBeGreaterThan(20)
    // Each package tries once, not once for each kernel; and the page tries by itself.
    expect(report.violations).toEqual(Array.from({ length: 3 }, () => 'script-src wasm-eval'))
    expect(complaints).toEqual([])
  })

  test('under that policy wasm is refused to those who insist on it', async () => {
    await using server = await servePages(resources, STRICT)
    const { report } = await runVectors(server, { asked: 'wasm', expected: 'wasm', where })
    const refusals = report.failed.filter((each) => each.startsWith('the kernel encodes pages of'))
    expect(refusals).toHaveLength(8)
    for (const refusal of refusals) expect(refusal).toMatch(/CompileError: .*WebAssembly/)
  })
})

test('a pool of Web Workers decodes what the page decodes by itself', async () => {
  await using server = await servePages(resources, OPEN)
  const { report, complaints } = await visit<PoolReport>(server, '/pool')
  expect(report.alone).toMatch(/^200 pages [0-9a-f]{16}$/)
  expect(report.pooled).toBe(report.alone)
  expect(report.jobs).toBe(12)
  expect(complaints).toEqual([])
})

describe('a read replica in a page of Chromium', () => {
  const ISOLATED = {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  }

  test.each([
    { bridge: 'shared memory', address: '/replica', headers: ISOLATED },
    { bridge: 'synchronous requests', address: '/replica?xhr', headers: {} },
  ])('reads every state of a golden backup by pages, over $bridge', async ({ address, headers }) => {
    await using server = await servePages(resources, OPEN, headers)
    const { report, complaints } = await visit<ReplicaReport>(server, address)
    expect(report.error).toBeUndefined()
    const { transactions } = readManifest('l0-plain')
    expect(report.states.map(([txid]) => txid)).toEqual(transactions.map(({ txid }) => txid))
    for (const [, objects, check] of report.states) {
      expect(objects).toBeGreaterThan(0)
      expect(check).toBe('ok')
    }
    expect(report.refused).toMatch(/readonly database/)
    expect(report.requests).toBeGreaterThan(0)
    expect(complaints).toEqual([])
  })

  test('says what is missing where the page is not isolated', async () => {
    await using server = await servePages(resources, OPEN)
    const { report } = await visit<ReplicaReport>(server, '/replica')
    expect(report.isolated).toBe(false)
    expect(report.error).toMatch(/TypeError: the page is not cross-origin isolated/)
  })
})

test('what a page or its worker complains about is heard', async () => {
  const script = `
    if ('document' in globalThis) new Worker('/canary.js')
    console.error('canary in ' + ('document' in globalThis ? 'page' : 'worker'))
    fetch('/nowhere')
    if ('document' in globalThis) throw new Error('canary falls')`
  const own = new Map<string, Resource>([
    ['/', { type: 'text/html', body: '<!doctype html><script src="/canary.js"></script>' }],
    ['/canary.js', { type: 'text/javascript', body: script }],
  ])
  await using server = await servePages(own, OPEN)
  const page = await browser!.browser.newPage()
  const complaints = listen(page)
  await page.goto(server.origin)
  const expected = ['error: canary in page', 'error: canary in worker', 'uncaught: canary falls']
  await expect.poll(() => complaints, PATIENCE).toEqual(expect.arrayContaining(expected))
  await expect.poll(() => server.missing, PATIENCE).toContain('/nowhere')
  await page.close()
})
