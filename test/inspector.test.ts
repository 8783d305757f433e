import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  createReadStream,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { formatFilename, mergeFiles, toTXID } from '@sqlstream/ltx'
import Database from 'better-sqlite3'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Resource, servePages } from './chromium/server.ts'
import { launchBrowser, listen, type TestBrowser } from './support/browser.ts'
import { ROOT } from './support/workspace.ts'

const CLI = join(ROOT, 'apps/cli/bin/run.js')
const PAGE = join(ROOT, 'apps/inspector/dist')
/** Rows of each transaction, beginning with the second. */
const ROWS = [3, 40, 1, 200, 2, 60, 1, 30]
const NEWEST = ROWS.length + 1

const folder = mkdtempSync(join(tmpdir(), 'sqlstream-inspector-'))
const backup = join(folder, 'backup')
const damaged = join(folder, 'damaged')
let browser: TestBrowser

/** Rows after a transaction. */
function rowsAt(txid: number): number {
  return ROWS.slice(0, txid - 1).reduce((sum, count) => sum + count, 0)
}

function cli(...args: string[]): void {
  execFileSync(process.execPath, [CLI, ...args], { stdio: 'pipe' })
}

beforeAll(async () => {
  const db = new Database(join(folder, 'app.db'))
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX note_text ON note (text)')
  cli('replicate', join(folder, 'app.db'), backup, '--once', '--no-compaction')
  const insert = db.prepare('INSERT INTO note (text) VALUES (?)')
  for (const [round, count] of ROWS.entries()) {
    db.transaction(() => {
      for (let i = 0; i < count; i++) insert.run(`note ${round}/${i} ${'x'.repeat(i)}`)
    })()
    cli('replicate', join(folder, 'app.db'), backup, '--once', '--no-compaction')
  }
  db.close()
  // One capture is gone, and a byte of the last one is another.
  cpSync(backup, damaged, { recursive: true })
  unlinkSync(join(damaged, 'ltx/0/0000000000000007-0000000000000007.ltx'))
  const last = join(damaged, 'ltx/0/0000000000000009-0000000000000009.ltx')
  const bytes = readFileSync(last)
  bytes[bytes.length - 5]! ^= 1
  writeFileSync(last, bytes)
  cli('snapshot', backup)
  await mergeByHand(2, 5)
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** A file of level 1: when the schedule makes one depends on the clock. */
async function mergeByHand(first: number, last: number): Promise<void> {
  const name = (from: number, to: number): string =>
    formatFilename({ minTXID: toTXID(from), maxTXID: toTXID(to) })
  const captures = Array.from({ length: last - first + 1 }, (_, i) =>
    createReadStream(join(backup, 'ltx/0', name(first + i, first + i))),
  )
  mkdirSync(join(backup, 'ltx/1'))
  await writeFile(join(backup, 'ltx/1', name(first, last)), mergeFiles(captures))
}

/** `sqlstream inspect` as a process, and where its page is. */
async function inspect(replica: string): Promise<AsyncDisposable & { readonly url: string }> {
  const child: ChildProcess = spawn(process.execPath, [CLI, 'inspect', replica], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const [line] = (await Promise.race([once(child.stdout!, 'data'), ended])) as [unknown]
  return {
    url: String(line).trim(),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGINT')
      await ended
    },
  }
}

/** Opens a page, lets `look` look at it, and expects that it complained of nothing. */
async function visit(
  url: string,
  options: BrowserContextOptions,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  try {
    const page = await context.newPage()
    const complaints = listen(page)
    await page.goto(url)
    await look(page)
    expect(complaints).toEqual([])
  } finally {
    await context.close()
  }
}

async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name }).click()
}

/** The first answer is waited for: who asks before breaks requests off, which counts as a complaint. */
async function openSql(page: Page): Promise<void> {
  await openTab(page, 'SQL')
  await page.locator('.answer table').waitFor()
}

/** Asks by SQL, at the state that the slider shows. */
async function ask(page: Page, sql: string): Promise<void> {
  await page.locator('#sql-text').fill(sql)
  await page.locator('#sql-text').press('Control+Enter')
}

describe('the inspector', () => {
  test.each([
    { width: 1280, colorScheme: 'light' },
    { width: 1280, colorScheme: 'dark' },
    { width: 360, colorScheme: 'light' },
    { width: 360, colorScheme: 'dark' },
  ] as const)(
    'shows a replica without complaint and without overflow, $width pixels wide, $colorScheme',
    async ({ width, colorScheme }) => {
      await using server = await inspect(backup)
      await visit(server.url, { colorScheme, viewport: { width, height: 800 } }, async (page) => {
        const fits = async (): Promise<void> => {
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
        }
        await page.getByText('proven chain').first().waitFor()
        await page.locator('#page-number').fill('1')
        await page.locator('#page-number').press('Enter')
        await page.locator('.hex').getByText('53 51 4c 69 74 65').waitFor()
        await page.getByText('Written by SQLite').waitFor()
        await fits()
        await openTab(page, 'Changes')
        await page.getByText('Hottest pages').waitFor()
        await page.getByText('Over 8 files').waitFor()
        await fits()
        await openTab(page, 'Proof')
        await page.getByText('Check every byte of').click()
        await page.getByText('Every file was read to its last byte.').waitFor()
        await fits()
        await openTab(page, 'SQL')
        await page.locator('.answer table').waitFor()
        await fits()
        await page.getByRole('button', { name: 'Open another' }).click()
        await page.getByText('Drop the folder of a replica').waitFor()
        await fits()
        await page.getByRole('button', { name: 'Back to the replica' }).click()
        await page.getByText('proven chain').first().waitFor()
      })
    },
  )

  test('answers SQL at two states, and the slider goes from one to the other', async () => {
    await using server = await inspect(backup)
    await visit(server.url, {}, async (page) => {
      await openSql(page)
      await ask(page, 'SELECT count(*) AS n, sqlstream_txid() AS txid FROM note')
      const row = page.locator('.answer tbody tr')
      await row.getByText(`${rowsAt(NEWEST)}000000000000000${NEWEST}`, { exact: false }).waitFor()
      const slider = page.locator('#sql-state')
      await slider.fill(String(3 - 1))
      await page.getByText('At TXID 3:').waitFor()
      expect(await row.locator('td').allTextContents()).toEqual([String(rowsAt(3)), '0000000000000003'])
      expect(await slider.getAttribute('aria-valuetext')).toMatch(/^TXID 3, 20\d\d-/)
      await ask(page, 'SELEKT 1')
      await page.getByRole('alert').getByText('(sql)').waitFor()
      await ask(page, 'DELETE FROM note')
      await page.getByRole('alert').getByText('readonly').waitFor()
    })
  })

  test('can be used by keys alone', async () => {
    await using server = await inspect(backup)
    await visit(server.url, {}, async (page) => {
      await page.getByText('proven chain').first().waitFor()
      const says = page.locator('#timeline-says')
      const focused = async (): Promise<unknown> =>
        await page.evaluate(
          `document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent`,
        )
      for (let i = 0; i < 20 && !String(await focused()).startsWith('Timeline of files'); i++)
        await page.keyboard.press('Tab')
      expect(await focused()).toMatch(/^Timeline of files/)
      const steps: [string, RegExp][] = [
        ['ArrowLeft', /^Capture, TXID 8 /],
        ['Home', /^Capture, TXID 2 /],
        ['ArrowRight', /^Capture, TXID 3 /],
        ['ArrowUp', /^Merge of level 1, TXID 2–5 /],
        ['ArrowUp', /^Snapshot, TXID \d /],
        ['End', /^Snapshot, TXID \d /],
        ['ArrowDown', /^Merge of level 1/],
        ['ArrowDown', /^Capture/],
        ['End', /^Capture, TXID 9 /],
        ['+', /^Capture, TXID 9 /],
        ['0', /^Capture, TXID 9 /],
      ]
      for (const [key, text] of steps) {
        await page.keyboard.press(key)
        expect(await says.textContent(), key).toMatch(text)
      }
      for (let i = 0; i < 20 && (await focused()) !== 'File'; i++) await page.keyboard.press('Tab')
      await page.keyboard.press('ArrowRight')
      await page.getByText('Hottest pages').waitFor()
      for (let i = 0; i < 20 && !String(await focused()).startsWith('Pages of the database'); i++)
        await page.keyboard.press('Tab')
      await page.keyboard.press('ArrowRight')
      await page.getByText(/^Page 2: in \d files$/).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Page 2' }).waitFor()
    })
  })

  test('shows what is missing and what is damaged, and the rest stays usable', async () => {
    await using server = await inspect(damaged)
    await visit(server.url, {}, async (page) => {
      await page.getByText('trouble').first().waitFor()
      await openTab(page, 'Proof')
      await page.getByText('Transactions 7 are in no file.').waitFor()
      await page.getByText('Check every byte of').click()
      await page.getByText('damaged:').waitFor()
      expect(await page.locator('rect.file.damaged').count()).toBe(1)
      expect(await page.locator('rect.run.gap').count()).toBe(1)
      await openSql(page)
      await ask(page, 'SELECT count(*) AS n FROM note')
      await page.getByText('At TXID 6: 1 row').waitFor()
      expect(await page.locator('.answer td').allTextContents()).toEqual([String(rowsAt(6))])
    })
  })

  test('downloads what it shows as a zip, and opens that zip', async () => {
    await using server = await inspect(backup)
    await visit(server.url, { acceptDownloads: true }, async (page) => {
      const download = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Download as zip' }).click()
      const zip = join(folder, 'downloaded.zip')
      await (await download).saveAs(zip)
      expect((await download).suggestedFilename()).toBe('backup.zip')
      await page.getByRole('button', { name: 'Open another' }).click()
      await page.locator('input[type=file]').first().setInputFiles(zip)
      await page.getByRole('heading', { name: 'downloaded.zip' }).waitFor()
      await page.getByText('proven chain').first().waitFor()
      await openSql(page)
      await ask(page, 'SELECT count(*) AS n FROM note')
      await page
        .locator('.answer td')
        .getByText(String(rowsAt(NEWEST)))
        .waitFor()
    })
  })

  test('on a server that knows nothing of it, opens files that are dropped, and answers SQL without shared memory', async () => {
    await using server = await servePages(pageResources(), policyFor('blob:'))
    await visit(server.origin, {}, async (page) => {
      await page.getByText('Drop the folder of a replica').waitFor()
      const files = globSync(`${backup}/ltx/**/*.ltx`).map((file) => [
        file.split('/').at(-1)!,
        readFileSync(file).toString('base64'),
      ])
      // A file of level 1 has a place of its own; files alone are captures and snapshots.
      const alone = files.filter(([name]) => !name!.startsWith('0000000000000002-0000000000000005'))
      await page.evaluate(dropScript(alone as [string, string][]))
      await page.getByText('proven chain').first().waitFor()
      expect(await page.evaluate('crossOriginIsolated')).toBe(false)
      await openSql(page)
      await ask(page, 'SELECT count(*) AS n FROM note')
      await page
        .locator('.answer td')
        .getByText(String(rowsAt(NEWEST)))
        .waitFor()
      await page.locator('#sql-state').fill('3')
      await page.getByText('At TXID 4: 1 row').waitFor()
      expect(await page.locator('.answer td').allTextContents()).toEqual([String(rowsAt(4))])
      await page.evaluate(dropScript([['notes.txt', '']]))
      await page.getByRole('alert').getByText('(no-files)').waitFor()
    })
    expect(server.missing).toEqual([])
  })

  test('opens a public bucket on another host, by CORS', async () => {
    const objects = globSync(`${backup}/ltx/**/*.ltx`)
    const contents = objects.map(
      (file) =>
        `<Contents><Key>${relative(folder, file)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;1&quot;</ETag><Size>${statSync(file).size}</Size></Contents>`,
    )
    const bucket = new Map<string, Resource>([
      ['/b/', { type: 'application/xml', body: `<ListBucketResult>${contents.join('')}</ListBucketResult>` }],
      ...objects.map((file): [string, Resource] => [
        `/b/${relative(folder, file)}`,
        { type: 'application/octet-stream', body: readFileSync(file) },
      ]),
    ])
    await using elsewhere = await servePages(bucket, "default-src 'none'", {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'range',
      'access-control-expose-headers': 'content-range, etag',
    })
    await using server = await servePages(pageResources(), policyFor(elsewhere.origin))
    await visit(server.origin, {}, async (page) => {
      await page.locator('#url').fill(`${elsewhere.origin}/b/backup`)
      await page.locator('#url').press('Enter')
      await page.getByText('proven chain').first().waitFor()
      await openSql(page)
      await ask(page, 'SELECT count(*) AS n FROM note')
      await page
        .locator('.answer td')
        .getByText(String(rowsAt(NEWEST)))
        .waitFor()
    })
    expect([...server.missing, ...elsewhere.missing]).toEqual([])
  })
})

/** The built page for any server. */
function pageResources(): Map<string, Resource> {
  const types: Record<string, string> = {
    html: 'text/html',
    js: 'text/javascript',
    css: 'text/css',
    wasm: 'application/wasm',
  }
  const resources = new Map<string, Resource>()
  for (const file of globSync(`${PAGE}/**/*.*`)) {
    const name = relative(PAGE, file)
    resources.set(`/${name}`, { type: types[name.split('.').at(-1)!]!, body: readFileSync(file) })
  }
  return resources.set('/', resources.get('/index.html')!)
}

/** Scripts of our own, and requests to one other place. */
function policyFor(place: string): string {
  return `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self' ${place}; worker-src 'self'; img-src data:`
}

/** A script that drops files, given by name and content in base64. */
function dropScript(files: readonly (readonly [string, string])[]): string {
  return `{
    const transfer = new DataTransfer()
    for (const [name, content] of ${JSON.stringify(files)}) {
      transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name))
    }
    dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }))
  }`
}
