// Shows on this machine what sqlstream promises: an application writes, sqlstream replicates, both are
// killed without warning, and the database comes back with everything that was reported as safe.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'

const CLI = fileURLToPath(new URL('../apps/cli/bin/run.js', import.meta.url))
const APP = fileURLToPath(new URL('./quickstart-app.ts', import.meta.url))
/** Commit times and event times are whole milliseconds of one clock; both may be cut off. */
const CLOCK_STEP_MS = 2

interface ReplicatorEvent {
  readonly type: string
  readonly time: string
  readonly milliseconds?: number
  readonly bytes?: number
  readonly pos?: { readonly txid: string; readonly postApplyChecksum: string }
  readonly file?: { readonly maxTXID: string }
  readonly error?: { readonly message: string }
}

interface Restored {
  readonly txid: string
  readonly postApplyChecksum: string
  readonly proven: boolean
  readonly bytes: number
  readonly milliseconds: number
}

const folder = mkdtempSync(join(tmpdir(), 'sqlstream-quickstart-'))
const database = join(folder, 'app.db')
const backup = join(folder, 'backup')
const restored = join(folder, 'restored.db')
const log = join(folder, 'commits.log')

/** Waits until something is true; fails loudly when it never becomes true. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (const start = Date.now(); !condition(); await sleep(10)) {
    if (Date.now() - start > 20_000) throw new Error(`waited 20 s for ${what}`)
  }
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await gone
}

/** What the application noted, in order. A last line that the kill cut in two does not count. */
function commits(): { n: number; time: number }[] {
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [n = '', time = ''] = line.split(' ')
    return { n: Number(n), time: Number(time) }
  })
}

/**
 * The last transaction that the replicator has reported as safe: one that had been committed before
 * the capture began whose file is reported as uploaded.
 */
function acknowledged(events: readonly ReplicatorEvent[]): number {
  const uploaded = events
    .filter((event) => event.type === 'uploaded')
    .map((event) => event.file?.maxTXID ?? '')
  const captures = events.filter(
    (event) => event.type === 'captured' && uploaded.includes(event.pos?.txid ?? ''),
  )
  const last = captures.at(-1)
  if (last === undefined) return 0
  const began = Date.parse(last.time) - (last.milliseconds ?? 0) - CLOCK_STEP_MS
  return commits().findLast((commit) => commit.time < began)?.n ?? 0
}

/** Number of payments, whether they are 1, 2, 3, … without a hole, and a hash over the first `limit`. */
function inspect(
  path: string,
  limit = Number.MAX_SAFE_INTEGER,
): { rows: number; whole: boolean; hash: string } {
  const db = new Database(path)
  try {
    const hash = createHash('sha256')
    let rows = 0
    let whole = true
    for (const row of db
      .prepare('SELECT n, cents, note FROM payment WHERE n <= ? ORDER BY n')
      .iterate(limit)) {
      const { n, cents, note } = row as { n: number; cents: number; note: Uint8Array }
      rows++
      whole &&= n === rows
      hash.update(`${n} ${cents} `).update(note)
    }
    const booked = db.prepare('SELECT coalesce(sum(cents), 0) FROM balance').pluck().get()
    const paid = db.prepare('SELECT coalesce(sum(cents), 0) FROM payment').pluck().get()
    return { rows, whole: whole && booked === paid, hash: hash.digest('hex') }
  } finally {
    db.close()
  }
}

function folderSize(path: string): { files: number; bytes: number } {
  const sizes = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ltx'))
    .map((name) => statSync(join(path, name)).size)
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

const kibibytes = (bytes: number): string => `${Math.round(bytes / 1024).toLocaleString('en')} KiB`
const count = (value: number): string => value.toLocaleString('en')

function line(title: string, text: string): void {
  console.log(`  ${title.padEnd(24)}${text}`)
}

async function main(): Promise<boolean> {
  console.log(`sqlstream quickstart, in ${folder}`)
  const app = spawn(process.execPath, [APP, database, log], { stdio: ['ignore', 'inherit', 'inherit'] })
  await until('the first commit of the application', () => existsSync(log) && commits().length > 0)
  console.log('  an application writes to app.db')

  const events: ReplicatorEvent[] = []
  const replicator = spawn(
    process.execPath,
    [CLI, 'replicate', database, backup, '--sync-interval', '200ms', '--json'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  createInterface({ input: replicator.stdout }).on('line', (text) => {
    events.push(JSON.parse(text) as ReplicatorEvent)
  })
  await until('the first upload', () => {
    if (replicator.exitCode !== null)
      throw new Error(`sqlstream replicate ended with code ${replicator.exitCode}`)
    return acknowledged(events) > 0
  })
  console.log('  sqlstream replicate app.db backup')

  await sleep(3000 + Math.random() * 3000)
  await Promise.all([kill(app), kill(replicator)])
  console.log('  both killed with SIGKILL at a random moment, nothing restarted')

  const { stdout } = await promisify(execFile)(
    process.execPath,
    [CLI, 'restore', backup, '-o', restored, '--check', 'full', '--json'],
    { maxBuffer: 1 << 28 },
  )
  const result = JSON.parse(stdout) as Restored
  console.log('  sqlstream restore backup -o restored.db --check full\n')

  const committed = commits().length
  const safe = acknowledged(events)
  const copy = inspect(restored)
  const source = inspect(database, copy.rows)
  const lost = Math.max(0, safe - copy.rows)
  const captured = events.find((event) => event.type === 'captured' && event.pos?.txid === result.txid)
  const rowsEqual = copy.whole && copy.hash === source.hash
  const checksumEqual =
    result.proven && (captured === undefined || captured.pos?.postApplyChecksum === result.postApplyChecksum)
  const size = folderSize(backup)
  const latencies = events
    .filter((event) => event.type === 'uploaded')
    .map((event) => event.milliseconds ?? 0)
    .sort((a, b) => a - b)

  line('committed', `${count(committed)} transactions`)
  line('reported as safe', `${count(safe)} before the kill`)
  line('restored', `${count(copy.rows)}, in order and without a hole: ${copy.whole ? 'yes' : 'NO'}`)
  line('lost of the safe ones', String(lost))
  line('rows equal', rowsEqual ? `yes, sha256 ${copy.hash.slice(0, 16)}…` : 'NO')
  line(
    'database checksum equal',
    checksumEqual ? `yes, ${result.postApplyChecksum}, proven by the chain` : 'NO',
  )
  line('integrity_check', 'ok')
  line(
    'backup',
    `${count(size.files)} files, ${kibibytes(size.bytes)} for a database of ${kibibytes(result.bytes)}`,
  )
  line(
    'upload of one file',
    `${latencies[Math.floor(latencies.length / 2)] ?? 0} ms in the middle, ${latencies.at(-1) ?? 0} ms at most`,
  )
  line('restore', `${result.milliseconds} ms`)
  const ok = lost === 0 && rowsEqual && checksumEqual && copy.rows > 0
  console.log(
    ok ? '\nNothing that was reported as safe was lost.' : `\nFAILED. What happened is in ${folder}`,
  )
  return ok
}

const ok = await main()
if (ok) rmSync(folder, { recursive: true })
else process.exitCode = 1
