import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Debian's package; another Chromium can be named for machines that are no Debian. */
const PROGRAM = process.env['SQLSTREAM_CHROMIUM'] ?? '/usr/bin/chromium'

/** --headless, a fresh profile and remote control through a pipe are playwright's. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A browser that ends with the test. */
export interface TestBrowser extends AsyncDisposable {
  readonly browser: Browser
}

/** Starts the browser. Throws when there is none: a check that is skipped is no check. */
export async function launchBrowser(): Promise<TestBrowser> {
  try {
    accessSync(PROGRAM, constants.X_OK)
  } catch {
    throw new Error(
      `no browser at ${PROGRAM}: install it (apt-get install chromium), or name one by SQLSTREAM_CHROMIUM`,
    )
  }
  // Its crash reports would go to the home folder.
  const home = mkdtempSync(join(tmpdir(), 'sqlstream-chromium-'))
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home }
  const browser = await chromium.launch({
    executablePath: PROGRAM,
    headless: true,
    args: FLAGS,
    env,
    timeout: 60_000,
  })
  return {
    browser,
    [Symbol.asyncDispose]: async () => {
      await browser.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** What a page and its workers complain about from now on: console, uncaught errors, refused requests. */
export function listen(page: Page): string[] {
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`))
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  return complaints
}
