import fs, {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { createHeader, Encoder, formatFilename, type TXID, toTXID } from '@sqlstream/ltx'
import { Random, TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { CaptureLog } from '../../src/state/capture-log.ts'
import { CaptureState } from '../../src/state/capture-state.ts'
import { listSegments, readLog, segmentPath } from '../../src/state/read-log.ts'
import type { SpoolFile } from '../../src/state/spool.ts'
import {
  createStateFolder,
  type StateFolder,
  stateFolder,
  takeLocalLock,
} from '../../src/state/state-folder.ts'
import { readStatus } from '../../src/status.ts'
import { history, ledgerAfter, type Step, walAt } from '../support/samples.ts'

function folderOf(root: string, name: string): StateFolder {
  const folder = stateFolder(`${root}/${name}`)
  createStateFolder(folder)
  return folder
}

/** A level-0 file of one empty transaction. */
function spooled(state: CaptureState, txid: TXID, padding = 0): SpoolFile {
  const commit = padding === 0 ? 0 : 1
  const header = createHeader({
    pageSize: 65536,
    commit,
    minTXID: txid,
    maxTXID: txid,
    timestamp: 1_700_000_000_000,
  })
  const encoder = new Encoder(header)
  const writer = state.spool.create()
  writer.write(encoder.start())
  if (padding > 0) writer.write(encoder.page({ pgno: 1, data: new Random(Number(txid)).bytes(65536) }))
  writer.write(encoder.finish())
  // Bytes behind the end, to make it as long as is wanted.
  if (padding > 1) writer.write(new Uint8Array(padding))
  return writer.finish(header)
}

/** A database of a log, with its history so far. */
class Tenant {
  readonly folder: StateFolder
  readonly steps: readonly Step[]
  readonly state: CaptureState
  done = 1
  files: SpoolFile[] = []

  constructor(root: string, name: string, seed: number, log: CaptureLog | undefined, steps = 60) {
    this.folder = folderOf(root, name)
    this.steps = history(seed, steps)
    this.state = CaptureState.open(this.folder, { log })
    this.state.replace(this.steps[0]!.position, ledgerAfter(this.steps.slice(0, 1)))
  }

  capture(padding = 0): void {
    const { position, changes } = this.steps[this.done]!
    const file = spooled(this.state, position.txid, padding)
    this.state.advance(position, changes, file)
    this.files.push(file)
    this.done++
  }

  /** The oldest file is in the replica. */
  acknowledge(): void {
    const file = this.files.shift()
    if (file === undefined) return
    this.state.spool.remove(file)
    this.state.acknowledge(file.maxTXID)
  }
}

function namesIn(folder: StateFolder): string[] {
  return readdirSync(folder.spool).sort()
}

/** Bytes in segments that are not dropped yet. */
function bytesOf({ folder }: CaptureLog): number {
  return listSegments(folder).reduce((sum, number) => sum + statSync(segmentPath(folder, number)).size, 0)
}

function nameOf(txid: TXID): string {
  return formatFilename({ minTXID: txid, maxTXID: txid })
}

/** Fails the syncs of this process while told to. */
function failingSyncs(): { fail: boolean } & Disposable {
  const { fdatasync } = fs
  const syncs = {
    fail: false,
    [Symbol.dispose]() {
      Object.assign(fs, { fdatasync })
      syncBuiltinESMExports()
    },
  }
  Object.assign(fs, {
    fdatasync: (fd: number, done: (error: Error | null) => void) => {
      if (syncs.fail) setImmediate(() => done(Object.assign(new Error('EIO'), { code: 'EIO' })))
      else fdatasync(fd, done)
    },
  })
  syncBuiltinESMExports()
  return syncs
}

/** Counts the syncs that hold up this thread. */
function countingSyncs(): { count: number } & Disposable {
  const { fsyncSync, fdatasyncSync } = fs
  const syncs = {
    count: 0,
    [Symbol.dispose]() {
      Object.assign(fs, { fsyncSync, fdatasyncSync })
      syncBuiltinESMExports()
    },
  }
  const counted = (sync: (fd: number) => void) => (fd: number) => {
    syncs.count++
    sync(fd)
  }
  Object.assign(fs, { fsyncSync: counted(fsyncSync), fdatasyncSync: counted(fdatasyncSync) })
  syncBuiltinESMExports()
  return syncs
}

describe('a log of captures', () => {
  it('L5: makes the captures of many databases durable by one sync, and writes none of their files', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenants = Array.from({ length: 20 }, (_, i) => new Tenant(folder.path, `${i}.db`, i, log))
    const journals = tenants.map((tenant) => statSync(tenant.folder.journal).size)
    for (const tenant of tenants) tenant.capture()
    await Promise.all(tenants.map(({ state }) => state.synced()))
    expect(tenants.map(({ folder }) => namesIn(folder))).toEqual(tenants.map(() => []))
    expect(tenants.map((tenant) => statSync(tenant.folder.journal).size)).toEqual(journals)
    expect(readLog(log.folder).databases.size).toBe(20)
    for (const tenant of tenants) tenant.state.close()
    await log.close()
    expect(readdirSync(log.folder).sort()).toEqual(['id', 'lock', 'lock-owner'])
    for (const tenant of tenants) {
      const again = CaptureState.open(tenant.folder)
      expect(again.position).toEqual(tenant.steps[1]!.position)
      expect(namesIn(tenant.folder)).toEqual([nameOf(toTXID(2))])
      again.close()
    }
  })

  it('L5: drops a segment when its databases have written what is in it, and is bounded', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'), { segmentBytes: 4000 })
    const tenants = [1, 2, 3].map((i) => new Tenant(folder.path, `${i}.db`, i, log))
    for (let round = 0; round < 50; round++) {
      for (const tenant of tenants) {
        await tenant.state.room()
        tenant.capture()
        await tenant.state.synced()
        if (round % 3 > 0) tenant.acknowledge()
      }
      expect(bytesOf(log)).toBeLessThan(5 * 4000 + 5000)
    }
    for (const { state, steps, done } of tenants) expect(state.position).toEqual(steps[done - 1]!.position)
    for (const { state } of tenants) state.close()
    await log.close()
    for (const { folder, files, steps, done } of tenants) {
      expect(namesIn(folder)).toEqual(files.map(({ minTXID }) => nameOf(minTXID)))
      expect(CaptureState.open(folder).position).toEqual(steps[done - 1]!.position)
    }
  })

  it('takes one that is locked for another process’s', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    await expect(CaptureLog.open(folder.join('log'))).rejects.toMatchObject({ code: 'locked' })
    await log.close()
    await (await CaptureLog.open(folder.join('log'))).close()
  })

  it.each([true, false])(
    'L5: a first capture that was prepared (%s) does not hold up the thread for the disk',
    async (isPrepared) => {
      using folder = new TempFolder('log')
      const log = await CaptureLog.open(folder.join('log'))
      const first = new Tenant(folder.path, 'first.db', 1, log)
      // It begins the segment.
      first.capture()
      const tenant = new Tenant(folder.path, 'a.db', 2, log)
      using syncs = countingSyncs()
      if (isPrepared) await tenant.state.prepare()
      tenant.capture()
      await tenant.state.synced()
      expect(syncs.count > 0).toBe(!isPrepared)
      for (const { state } of [first, tenant]) state.close()
      await log.close()
      expect(existsSync(tenant.folder.seat)).toBe(false)
    },
  )

  it('what could not be prepared is done by the first capture', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 1, log)
    const inTheWay = `${tenant.folder.seat}.tmp`
    mkdirSync(inTheWay)
    await tenant.state.prepare()
    expect(() => tenant.capture()).toThrow(expect.objectContaining({ code: 'EISDIR' }))
    rmSync(inTheWay, { recursive: true })
    tenant.capture()
    await tenant.state.synced()
    expect(readLog(log.folder).databases.size).toBe(1)
    tenant.state.close()
    await log.close()
  })

  it('L1: a large file goes to the spool at once', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 1, log)
    tenant.capture(300_000)
    expect(namesIn(tenant.folder)).toEqual([nameOf(toTXID(2))])
    expect(tenant.files[0]!.content).toBeUndefined()
    tenant.state.close()
    await log.close()
  })
})

describe('the death of its process', () => {
  /** What lies on disk at this moment, looked at by the next process. */
  async function afterDeath<T>(folder: TempFolder, look: (root: string) => T | Promise<T>): Promise<T> {
    using copy = new TempFolder('log-death')
    cpSync(folder.path, copy.path, { recursive: true })
    return await look(copy.path)
  }

  it('L5: every capture is brought into the files of its database, but not what is in the replica', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'), { segmentBytes: 6000 })
    const tenants = [1, 2, 3].map((i) => new Tenant(folder.path, `${i}.db`, i, log))
    const random = new Random(5)
    for (let round = 0; round < 40; round++) {
      const tenant = random.pick(tenants)
      tenant.capture()
      if (random.chance(0.6)) tenant.acknowledge()
      if (random.chance(0.5)) await tenant.state.synced()
      if (round % 8 !== 7) continue
      await afterDeath(folder, async (root) => {
        const next = await CaptureLog.open(`${root}/log`)
        for (const [i, { steps, done, files }] of tenants.entries()) {
          const state = folderOf(root, `${i + 1}.db`)
          expect(existsSync(state.seat)).toBe(false)
          const spool = namesIn(state)
          // An acknowledgement is only written where the last captures are.
          expect(spool.slice(spool.length - files.length)).toEqual(
            files.map(({ minTXID }) => nameOf(minTXID)),
          )
          const again = CaptureState.open(state, { log: next })
          expect(again.torn).toBe(false)
          expect(again.position).toEqual(steps[done - 1]!.position)
          expect([...again.ledger.words()]).toEqual([...ledgerAfter(steps.slice(0, done)).words()])
          again.close()
        }
        await next.close()
        expect(readLog(`${root}/log`).segments).toEqual([])
      })
    }
    for (const { state } of tenants) state.close()
    await log.close()
  })

  it('L5: one that was prepared and captured nothing is whole', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    await tenant.state.prepare()
    expect(existsSync(tenant.folder.seat)).toBe(true)
    await afterDeath(folder, async (root) => {
      const again = CaptureState.open(stateFolder(`${root}/a.db`))
      expect(again.torn).toBe(false)
      expect(again.position).toEqual(tenant.steps[0]!.position)
      again.close()
    })
    tenant.state.close()
    await log.close()
  })

  it.each(['log', 'database'])(
    'L5: a spool folder that was deleted is made anew for what only the log has, by who opens the %s',
    async (who) => {
      using folder = new TempFolder('log')
      const log = await CaptureLog.open(folder.join('log'))
      const tenant = new Tenant(folder.path, 'a.db', 3, log)
      for (let i = 0; i < 5; i++) tenant.capture()
      await afterDeath(folder, async (root) => {
        const state = stateFolder(`${root}/a.db`)
        rmSync(state.spool, { recursive: true })
        const next = await CaptureLog.open(`${root}/${who === 'log' ? 'log' : 'other'}`)
        const again = CaptureState.open(state, { log: next })
        expect(again.position).toEqual(tenant.steps[5]!.position)
        expect(again.spool.list().map(({ minTXID }) => Number(minTXID))).toEqual([2, 3, 4, 5, 6])
        again.close()
        await next.close()
      })
      tenant.state.close()
      await log.close()
    },
  )

  it.each(['with another log', 'without a log'])(
    'L5: one that is opened %s brings in its own',
    async (how) => {
      using folder = new TempFolder('log')
      const log = await CaptureLog.open(folder.join('log'))
      const tenant = new Tenant(folder.path, 'a.db', 3, log)
      for (let i = 0; i < 5; i++) tenant.capture()
      await afterDeath(folder, async (root) => {
        const other = how === 'without a log' ? undefined : await CaptureLog.open(`${root}/other`)
        const state = CaptureState.open(folderOf(root, 'a.db'), { log: other })
        expect(state.position).toEqual(tenant.steps[5]!.position)
        expect(state.spool.list().map(({ minTXID }) => Number(minTXID))).toEqual([2, 3, 4, 5, 6])
        // It goes on, and the log that comes back has nothing to say to it.
        state.advance(tenant.steps[6]!.position, tenant.steps[6]!.changes, spooled(state, toTXID(7)))
        state.close()
        await other?.close()
        await (await CaptureLog.open(`${root}/log`)).close()
        const again = CaptureState.open(folderOf(root, 'a.db'))
        expect(again.position).toEqual(tenant.steps[6]!.position)
        expect(again.torn).toBe(false)
        again.close()
      })
      tenant.state.close()
      await log.close()
    },
  )

  it('L5: its log stays while another process has one of its databases', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    tenant.capture()
    await afterDeath(folder, async (root) => {
      const lock = takeLocalLock(folderOf(root, 'a.db'))
      const first = await CaptureLog.open(`${root}/log`)
      const second = new Tenant(root, 'b.db', 9, first)
      second.capture()
      second.state.close()
      await first.close()
      expect(readLog(`${root}/log`).segments.length).toBe(1)
      lock.release()
      const state = CaptureState.open(folderOf(root, 'a.db'))
      expect(state.position).toEqual(tenant.steps[1]!.position)
      state.close()
      await (await CaptureLog.open(`${root}/log`)).close()
      expect(readLog(`${root}/log`).segments).toEqual([])
    })
    tenant.state.close()
    await log.close()
  })

  it('L2: whatever a loss of power leaves of what was not synced, what was synced is there, and one history', async () => {
    for (let seed = 1; seed <= 25; seed++) {
      using folder = new TempFolder('log')
      const random = new Random(seed)
      const log = await CaptureLog.open(folder.join('log'), { segmentBytes: random.pick([3000, 20_000]) })
      const tenants = [1, 2].map((i) => new Tenant(folder.path, `${i}.db`, seed * 10 + i, log))
      /** Done when the last sync of each was over, and the sizes of all segments then. */
      let synced = [1, 1]
      let sizes = new Map<string, number>()
      for (let round = 0; round < 30; round++) {
        const tenant = random.pick(tenants)
        await tenant.state.room()
        tenant.capture()
        if (!random.chance(0.3)) continue
        await Promise.all(tenants.map(({ state }) => state.synced()))
        synced = tenants.map(({ done }) => done)
        sizes = sizesOf(log.folder)
      }
      await afterDeath(folder, async (root) => {
        for (const [name, size] of sizesOf(`${root}/log`)) {
          const least = sizes.get(name) ?? 0
          truncateSync(`${root}/log/${name}`, least + random.below(size - least + 1))
        }
        await (await CaptureLog.open(`${root}/log`)).close()
        for (const [i, { steps }] of tenants.entries()) {
          const state = CaptureState.open(folderOf(root, `${i + 1}.db`))
          const reached = steps.findIndex(({ position }) => position.txid === state.position?.txid) + 1
          expect(reached).toBeGreaterThanOrEqual(synced[i]!)
          expect(state.position).toEqual(steps[reached - 1]!.position)
          const txids = state.spool.list().map(({ minTXID }) => Number(minTXID))
          expect(txids).toEqual(Array.from({ length: reached - 1 }, (_, n) => n + 2))
          state.close()
        }
      })
      for (const { state } of tenants) state.close()
      await log.close()
    }
  })

  function sizesOf(folder: string): Map<string, number> {
    const names = readdirSync(folder).filter((name) => name.startsWith('captures-'))
    return new Map(names.map((name) => [name, statSync(`${folder}/${name}`).size]))
  }

  it('L3: a log that is damaged, or gone, is told from a whole one, and from one that has lost nothing (L6)', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    for (let i = 0; i < 4; i++) tenant.capture()
    const segment = 'log/captures-1'
    const open = (root: string): { torn: boolean; outdated: boolean; txid: TXID | undefined } => {
      const state = CaptureState.open(folderOf(root, 'a.db'))
      state.close()
      return { torn: state.torn, outdated: state.outdated, txid: state.position?.txid }
    }
    const size = statSync(folder.join(segment)).size
    for (const at of [20, 70, size >> 1, size - 30]) {
      for (const repairedBefore of [true, false]) {
        await afterDeath(folder, async (root) => {
          const bytes = readFileSync(`${root}/${segment}`)
          bytes[at]! ^= 4
          writeFileSync(`${root}/${segment}`, bytes)
          if (repairedBefore) await (await CaptureLog.open(`${root}/log`)).close()
          const { torn, outdated, txid } = open(root)
          // A seat whose name is damaged is one that the log has forgotten.
          expect({ torn, outdated }).toEqual({ torn: at !== 20, outdated: at === 20 })
          expect(txid).toBeLessThan(5n)
        })
      }
    }
    await afterDeath(folder, (root) => {
      rmSync(`${root}/log`, { recursive: true })
      expect(open(root)).toEqual({ torn: true, outdated: false, txid: 1n })
    })
    await afterDeath(folder, (root) => {
      appendFileSync(`${root}/${segment}`, 'rest of a record')
      expect(open(root)).toEqual({ torn: true, outdated: false, txid: 5n })
    })
    await afterDeath(folder, (root) => expect(open(root)).toEqual({ torn: false, outdated: false, txid: 5n }))
    tenant.state.close()
    await log.close()
  })

  it('L6: files that were put back are known to be old, whatever the log still has of them', async () => {
    using folder = new TempFolder('log')
    using kept = new TempFolder('old')
    const old = kept.join('state')
    const log = await CaptureLog.open(folder.join('log'), { segmentBytes: 2000 })
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    const other = new Tenant(folder.path, 'b.db', 4, log)
    tenant.capture()
    cpSync(tenant.folder.path, old, { recursive: true })
    const expectOutdated = (repairedBefore: boolean): Promise<void> =>
      afterDeath(folder, async (root) => {
        rmSync(folderOf(root, 'a.db').path, { recursive: true })
        cpSync(old, folderOf(root, 'a.db').path, { recursive: true })
        if (repairedBefore) await (await CaptureLog.open(`${root}/log`)).close()
        const { torn, outdated, position } = CaptureState.open(folderOf(root, 'a.db'))
        expect({ torn, outdated, txid: position?.txid }).toEqual({ torn: false, outdated: true, txid: 1n })
      })
    while (listSegments(log.folder)[0] === 1) {
      for (const each of [tenant, other]) {
        await each.state.room()
        each.capture()
        await each.state.synced()
      }
    }
    // The log begins behind what these files have.
    tenant.capture()
    for (const before of [true, false]) await expectOutdated(before)
    tenant.state.close()
    for (const before of [true, false]) await expectOutdated(before)
    other.state.close()
    await log.close()
    // And now it is empty.
    for (const before of [true, false]) await expectOutdated(before)
  })

  it('L3: records of a former state are never replayed onto a new one', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    for (let frame = 1; frame < 5; frame++) tenant.state.moveTo(walAt(frame))
    await afterDeath(folder, (root) => {
      const state = folderOf(root, 'a.db')
      writeFileSync(state.ledger, 'no ledger')
      const again = CaptureState.open(state)
      expect(again.position).toBeUndefined()
      again.replace({ ...tenant.steps[0]!.position, wal: walAt(900) }, ledgerAfter(tenant.steps.slice(0, 1)))
      again.close()
      expect(CaptureState.open(state).position?.wal).toEqual(walAt(900))
    })
    tenant.state.close()
    await log.close()
  })
})

describe('a disk that fails', () => {
  it.runIf(existsSync('/dev/full'))(
    'K3: a capture that does not fit is an error, and changes nothing',
    async () => {
      using folder = new TempFolder('log')
      const log = await CaptureLog.open(folder.join('log'))
      symlinkSync('/dev/full', folder.join('log', 'captures-1'))
      const tenant = new Tenant(folder.path, 'a.db', 3, log)
      expect(() => tenant.capture()).toThrow()
      expect(tenant.state.position).toEqual(tenant.steps[0]!.position)
      rmSync(folder.join('log', 'captures-1'))
      tenant.state.spool.remove(tenant.state.spool.list()[0]!)
      tenant.capture()
      await tenant.state.synced()
      tenant.state.close()
      await log.close()
      expect(CaptureState.open(tenant.folder).position).toEqual(tenant.steps[1]!.position)
    },
  )

  it('K3: what cannot be written beside a database stays in the log, and comes in when it can be', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    tenant.capture()
    const spill = `${tenant.folder.spool}/.spill.tmp`
    symlinkSync('/dev/full', spill)
    tenant.state.close()
    expect(() => CaptureState.open(tenant.folder, { log })).toThrow(
      expect.objectContaining({ code: 'disk-full' }),
    )
    await log.close()
    expect(readLog(log.folder).segments.length).toBe(1)
    // The next process meets the same, and then a disk with room.
    const lock = takeLocalLock(tenant.folder)
    lock.release()
    rmSync(spill)
    await (await CaptureLog.open(folder.join('log'))).close()
    const state = CaptureState.open(tenant.folder)
    expect(state.position).toEqual(tenant.steps[1]!.position)
    expect(namesIn(tenant.folder)).toEqual([nameOf(toTXID(2))])
    state.close()
  })

  it('C5: where the log cannot be synced, the files of the databases are, and nothing is called durable before', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    using syncs = failingSyncs()
    tenant.capture()
    syncs.fail = true
    symlinkSync('/dev/full', `${tenant.folder.spool}/.spill.tmp`)
    await expect(tenant.state.synced()).rejects.toMatchObject({ code: 'disk-full' })
    await expect(tenant.state.synced()).rejects.toMatchObject({ code: 'disk-full' })
    rmSync(`${tenant.folder.spool}/.spill.tmp`)
    await tenant.state.synced()
    expect(namesIn(tenant.folder)).toEqual([nameOf(toTXID(2))])
    syncs.fail = false
    tenant.capture()
    await tenant.state.synced()
    tenant.state.close()
    await log.close()
    expect(CaptureState.open(tenant.folder).position).toEqual(tenant.steps[2]!.position)
  })
})

describe('the status of a database whose captures are in a log', () => {
  it('counts what waits there, and what was acknowledged does not wait', async () => {
    using folder = new TempFolder('log')
    const log = await CaptureLog.open(folder.join('log'))
    const tenant = new Tenant(folder.path, 'a.db', 3, log)
    for (let i = 0; i < 4; i++) tenant.capture()
    tenant.acknowledge()
    const pendingBytes = tenant.files.reduce((sum, { size }) => sum + size, 0)
    const expected = {
      captured: { txid: 5n },
      pendingFiles: 3,
      pendingBytes,
      pendingSince: 1_700_000_000_000,
    }
    expect(await readStatus(folder.join('a.db'))).toMatchObject(expected)
    await tenant.state.flush()
    tenant.capture()
    expect(await readStatus(folder.join('a.db'), { logs: new Map() })).toMatchObject({
      captured: { txid: 6n },
      pendingFiles: 4,
    })
    tenant.state.close()
    await log.close()
    expect(await readStatus(folder.join('a.db'))).toMatchObject({ captured: { txid: 6n }, pendingFiles: 4 })
  })
})
