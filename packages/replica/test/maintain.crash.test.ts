import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FileStore } from '@sqlstream/storage-file'
import { expect, onTestFinished, test } from 'vitest'
import { filesOf, verify } from '../src/index.ts'
import { BusyReplica, KEEP } from './busy-replica.ts'
import { collect } from './collect.ts'
import { imageAt, txidOf } from './retention-replica.ts'

const KILLS = 12

test('D11, C2, T34: a process that is killed while it writes, merges and removes leaves whole files and every promised state', {
  timeout: 120_000,
}, async () => {
  const root = mkdtempSync(join(tmpdir(), 'sqlstream-maintain-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const store = new FileStore(root)
  const slots: number[] = []
  let leftovers = 0
  for (let kill = 0; kill < KILLS; kill++) {
    await runAndKill(root, { ticks: 6 + (kill % 4), milliseconds: (kill * 7) % 23 })
    const busy = new BusyReplica(KEEP, { store })
    await busy.catchUp()
    const findings = await collect(verify(busy.replica, { depth: 'bytes' }))
    expect(findings.filter(({ kind }) => !['gap', 'overlap'].includes(kind))).toEqual([])
    const head = busy.model.txid
    // The ends of the slots of 12 seconds that are over, and the newest state.
    for (let end = 11; end < head; end += 12) if (!slots.includes(end)) slots.push(end)
    for (const txid of [...slots.slice(-8), head]) {
      expect(Buffer.compare(await imageAt(busy.replica, txidOf(txid)), busy.model.image(txid))).toBe(0)
    }
    const files = filesOf(await busy.replica.catalog())
    leftovers += hiddenIn(root)
    // Old enough or not: nothing is being written.
    await store.sweep({ olderThanMs: -1000 })
    expect(hiddenIn(root)).toBe(0)
    expect(filesOf(await busy.replica.catalog())).toEqual(files)
  }
  expect(slots.length).toBeGreaterThan(5)
  // Otherwise no kill has hit a write.
  expect(leftovers).toBeGreaterThan(0)
})

/** Kills after so many ticks, and then somewhere in the next. */
async function runAndKill(
  root: string,
  { ticks, milliseconds }: { readonly ticks: number; readonly milliseconds: number },
): Promise<void> {
  const script = join(import.meta.dirname, 'maintain-and-die.ts')
  const child = spawn(process.execPath, ['--conditions=@sqlstream/source', script, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let ticked = 0
  const enough = Promise.withResolvers<void>()
  child.stdout.on('data', ({ length }: Buffer) => {
    ticked += length
    if (ticked >= ticks) enough.resolve()
  })
  await Promise.race([enough.promise, ended])
  await sleep(milliseconds)
  child.kill('SIGKILL')
  const [, signal] = await ended
  expect(signal).toBe('SIGKILL')
}

/** Files that were being written. */
function hiddenIn(root: string): number {
  return readdirSync(root, { recursive: true }).filter((name) => `${name}`.includes('.sqlstream~temp~'))
    .length
}
