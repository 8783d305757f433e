import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { FileStore } from '@sqlstream/storage-file'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { dumpBy } from './support/dump.ts'
import { History } from './support/history.ts'
import { hydrated } from './support/hydrated.ts'

let folder: TempFolder
let history: History
beforeEach(async () => {
  folder = new TempFolder('hydrate-crash')
  history = new History({ store: new FileStore(folder.join('replica')) })
  await history.commit(`CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES (1, 1, NULL);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO t SELECT i + 1, 0, randomblob(700) FROM n`)
})
afterEach(() => {
  history[Symbol.dispose]()
  folder[Symbol.dispose]()
})

async function advance(): Promise<void> {
  await history.commit(
    `UPDATE t SET a = ${history.txid + 1n} WHERE id = 1; UPDATE t SET b = randomblob(700) WHERE id % 97 = ${history.txid % 97n}`,
  )
}

/** Runs a reader until a line says so, writes meanwhile, and kills it. Each of its rows must be that of the TXID it told, and none older than one before. */
async function runUntil(isEnough: (line: string) => boolean): Promise<void> {
  const script = new URL('./support/hydrate-main.ts', import.meta.url).pathname
  const args = ['--conditions=@sqlstream/source', script, folder.join('replica'), folder.join('copy.db')]
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let newest = 0
  try {
    for await (const line of createInterface({
      input: child.stdout as NonNullable<ChildProcess['stdout']>,
    })) {
      if (line.startsWith('error')) throw new Error(line)
      const [, value, txid] = /^row (\d+) (\d+)/.exec(line) ?? []
      if (value !== undefined) {
        expect(value).toBe(txid)
        expect(Number(txid)).toBeGreaterThanOrEqual(newest)
        newest = Number(txid)
      }
      if (/^(advance|hydrated)/.test(line)) await advance()
      if (isEnough(line)) return
    }
    throw new Error('it has ended')
  } finally {
    child.kill('SIGKILL')
    await new Promise((resolve) =>
      (child.exitCode ?? child.signalCode) === null ? child.once('exit', resolve) : resolve(0),
    )
  }
}

function nth(n: number, start: string): (line: string) => boolean {
  let seen = 0
  return (line) => line.startsWith(start) && ++seen === n
}

test('H4: killed while the copy is made, and while it goes on, it goes on with what is there', async () => {
  for (const n of [4, 8, 13]) await runUntil(nth(n, 'request'))
  await runUntil(nth(1, 'hydrated'))
  const { ino } = statSync(folder.join('copy.db'))
  for (let n = 1; n <= 3; n++) {
    let isHydrated = false
    const enough = nth(n, 'advance')
    await runUntil((line) => {
      isHydrated ||= line.startsWith('hydrated')
      return isHydrated && enough(line)
    })
    await advance()
  }
  await using replica = await openReplica({
    store: history.store,
    poll: false,
    hydrate: { path: folder.join('copy.db') },
  })
  await hydrated(replica)
  await replica.waitFor(history.txid)
  expect(await dumpBy(replica)).toBe(history.dump)
  expect(await replica.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
  expect(statSync(folder.join('copy.db')).ino).toBe(ino)
})
