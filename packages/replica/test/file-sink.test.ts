import fs, {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockPgno } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isReplicaError, planRestore, Replica, restore } from '../src/index.ts'
import { type FileSinkOptions, fileSink } from '../src/node/index.ts'
import { beforeDiskSteps } from './disk-steps.ts'
import { encodeFile, pageOf, put, smallHistory, upload } from './model.ts'

const TEMP = '.app.db.sqlstream-restore'
const MODEL = smallHistory()
const IMAGE = MODEL.image(5)

let root: string
let folder: string
let path: string
let replica: Replica
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sqlstream-sink-'))
  replica = await upload(MODEL, new MemoryStore())
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(() => {
  folder = mkdtempSync(join(root, 'target-'))
  path = join(folder, 'app.db')
})

async function run(options?: FileSinkOptions, target = path): Promise<unknown> {
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  return await restore(replica, plan, fileSink(target, options)).catch((error: unknown) => error)
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text)
}

function contents(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [
        name,
        name === 'app.db' && isImage() ? 'restored' : readFileSync(join(folder, name), 'utf8'),
      ]),
  )
}

function isImage(): boolean {
  return existsSync(path) && readFileSync(path).equals(IMAGE)
}

test('the target appears complete, and nothing else', async () => {
  expect(await run()).toMatchObject({ proven: true })
  expect(contents()).toEqual({ 'app.db': 'restored' })
  expect(statSync(path).mode & 0o777 & ~process.umask()).toBe(0o644 & ~process.umask())
})

test('makes the folder when it is missing', async () => {
  path = join(folder, 'a/b/app.db')
  await run()
  expect(isImage()).toBe(true)
})

describe('a target that exists', () => {
  test('is refused and untouched, temp file and sidecars included', async () => {
    write('app.db', 'precious')
    write('app.db-wal', 'its wal')
    expect(isReplicaError(await run(), 'sink-exists')).toBe(true)
    expect(contents()).toEqual({ 'app.db': 'precious', 'app.db-wal': 'its wal' })
  })

  test('F2: is refused when it appears during the restore', async () => {
    const plan = planRestore(await replica.catalog(), { kind: 'latest' })
    const onProgress = (): void => {
      if (existsSync(path)) return
      write('app.db', 'precious')
      write('app.db-wal', 'its wal')
    }
    const outcome = await restore(replica, plan, fileSink(path), { onProgress }).catch(
      (error: unknown) => error,
    )
    expect(outcome instanceof Error && isReplicaError(outcome, 'sink-exists')).toBe(true)
    expect(contents()).toEqual({ 'app.db': 'precious', 'app.db-wal': 'its wal' })
  })

  test('F2: is refused when it appears right before the link, and the sidecars go back to it', async () => {
    write('app.db-wal', 'its wal')
    const undo = beforeDiskSteps((_, name) => {
      if (name === 'linkSync') write('app.db', 'precious')
    })
    const outcome = await run()
    undo()
    expect(isReplicaError(outcome, 'sink-exists')).toBe(true)
    expect(contents()).toEqual({ 'app.db': 'precious', 'app.db-wal': 'its wal' })
  })

  test.each(['EPERM', 'ENOTSUP'])(
    'F2: is respected on file systems without hard links (%s)',
    async (code) => {
      let isTaken = false
      const undo = beforeDiskSteps((_, name) => {
        if (name !== 'linkSync') return
        if (isTaken) write('app.db', 'precious')
        throw Object.assign(new Error(code), { code })
      })
      expect(await run()).toMatchObject({ proven: true })
      expect(contents()).toEqual({ 'app.db': 'restored' })
      rmSync(path)
      isTaken = true
      const outcome = await run()
      undo()
      expect(isReplicaError(outcome, 'sink-exists')).toBe(true)
      expect(contents()).toEqual({ 'app.db': 'precious' })
    },
  )

  test('is refused when it is a folder, even with overwrite', async () => {
    mkdirSync(path)
    write('app.db/file', 'precious')
    for (const overwrite of [false, true])
      expect(isReplicaError(await run({ overwrite }), 'sink-exists')).toBe(true)
    expect(readdirSync(folder)).toEqual(['app.db'])
  })

  test('is replaced when told, with the same permissions', async () => {
    write('app.db', 'old')
    chmodSync(path, 0o666)
    expect(await run({ overwrite: true })).toMatchObject({ proven: true })
    expect(contents()).toEqual({ 'app.db': 'restored' })
    expect(statSync(path).mode & 0o777).toBe(0o666)
  })

  test('that is a symbolic link stays one', async () => {
    mkdirSync(join(folder, 'real'))
    writeFileSync(join(folder, 'real/data.db'), 'old')
    symlinkSync('real/data.db', path)
    await run({ overwrite: true })
    expect(readFileSync(join(folder, 'real/data.db')).equals(IMAGE)).toBe(true)
    expect(isImage()).toBe(true)
    expect(readdirSync(join(folder, 'real'))).toEqual(['data.db'])
  })

  test('keeps its content when the restore fails', async () => {
    write('app.db', 'old')
    write('app.db-wal', 'its wal')
    const damaged = new Replica(new MemoryStore())
    await put(damaged, 0, 1, 1, MODEL.file(1, 1).subarray(0, 1000))
    const plan = planRestore(await damaged.catalog(), { kind: 'latest' })
    const outcome = await restore(damaged, plan, fileSink(path, { overwrite: true })).catch(
      (error: unknown) => error,
    )
    expect(isReplicaError(outcome, 'corrupt')).toBe(true)
    expect(contents()).toEqual({ 'app.db': 'old', 'app.db-wal': 'its wal' })
  })
})

describe('T39: leftovers', () => {
  test('F4: of an earlier database beside an absent target are moved away, never applied, never deleted', async () => {
    write('app.db-wal', 'a')
    write('app.db-shm', 'b')
    write('app.db-journal', 'c')
    await run()
    expect(contents()).toEqual({
      'app.db': 'restored',
      'app.db.sqlstream-old-journal': 'c',
      'app.db.sqlstream-old-shm': 'b',
      'app.db.sqlstream-old-wal': 'a',
    })
  })

  test('F4: of a database that is replaced go with it', async () => {
    write('app.db', 'old')
    write('app.db-wal', 'a')
    write('app.db-shm', 'b')
    await run({ overwrite: true })
    expect(contents()).toEqual({ 'app.db': 'restored' })
  })

  test('F3: of a killed restore are swept at the start', async () => {
    for (const suffix of ['', '-wal', '-shm', '-journal']) write(TEMP + suffix, 'half')
    await run()
    expect(contents()).toEqual({ 'app.db': 'restored' })
  })

  test('F3: of a restore that was killed after its last step are only a second name, and removing it does no harm', async () => {
    await run()
    linkSync(path, join(folder, TEMP))
    expect(isReplicaError(await run(), 'sink-exists')).toBe(true)
    expect(contents()).toEqual({ 'app.db': 'restored' })
    linkSync(path, join(folder, TEMP))
    await run({ overwrite: true })
    expect(contents()).toEqual({ 'app.db': 'restored' })
  })

  test('of a failed restore are removed at once', async () => {
    const plan = planRestore(await replica.catalog(), { kind: 'latest' })
    const sink = fileSink(path)
    await sink.begin({ pageSize: 512, commit: 6 }, { mayReuse: false })
    expect(readdirSync(folder)).toEqual([TEMP])
    await sink.abort()
    await sink.abort()
    expect(readdirSync(folder)).toEqual([])
    expect(plan.files.length).toBe(5)
  })
})

test('a second restore to the same target at the same time makes the first one fail, not both mix', async () => {
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  const first = fileSink(path)
  let began = false
  const onProgress = async (): Promise<void> => {
    if (began || !existsSync(join(folder, TEMP))) return
    began = true
    rmSync(join(folder, TEMP))
    write(TEMP, "the other one's")
  }
  const outcome = await restore(replica, plan, first, { onProgress: () => void onProgress() }).catch(
    (error: unknown) => error,
  )
  expect(isReplicaError(outcome, 'sink-exists')).toBe(true)
  expect(contents()).toEqual({ [TEMP]: "the other one's" })
})

describe('the integrity check', () => {
  test('runs on the complete temp file before the target appears', async () => {
    const seen: unknown[] = []
    const runCheck = async (file: string, check: string): Promise<string[]> => {
      seen.push(check, existsSync(path), readFileSync(file).equals(IMAGE))
      writeFileSync(`${file}-wal`, '')
      return []
    }
    await run({ check: 'full', runCheck })
    expect(seen).toEqual(['full', false, true])
    expect(contents()).toEqual({ 'app.db': 'restored' })
  })

  test('that complains leaves no target, and the old one as it was', async () => {
    write('app.db', 'old')
    const runCheck = async (): Promise<string[]> => ['row 1 missing from index', 'more']
    const outcome = await run({ check: 'quick', runCheck, overwrite: true })
    expect(isReplicaError(outcome, 'check-failed')).toBe(true)
    expect((outcome as Error).message).toContain('row 1 missing from index (and 1 more)')
    expect(contents()).toEqual({ 'app.db': 'old' })
  })

  test('that fails itself leaves no target', async () => {
    const error = new Error('no engine')
    expect(await run({ check: 'quick', runCheck: () => Promise.reject(error) })).toBe(error)
    expect(contents()).toEqual({})
  })

  test('needs somebody to run it', () => {
    expect(() => fileSink(path, { check: 'quick' })).toThrow(TypeError)
  })
})

describe('a full disk', () => {
  const { writeSync, ftruncateSync, openSync, fsync } = fs
  const real = { writeSync, ftruncateSync, openSync, fsync }
  afterEach(() => {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  })

  /** Lets the n-th call of a file system function fail. */
  function failAt(name: keyof typeof real, n: number, code: string): void {
    let calls = 0
    const original = real[name] as (...args: unknown[]) => unknown
    const failing = (...args: unknown[]): unknown => {
      if (++calls !== n) return original(...args)
      const error = Object.assign(new Error(`${code}: no space left on device`), { code })
      if (name !== 'fsync') throw error
      return (args.at(-1) as (error: Error) => void)(error)
    }
    Object.assign(fs, { [name]: failing })
    syncBuiltinESMExports()
  }

  test.each([
    ['writeSync', 1, 'ENOSPC'],
    ['writeSync', 4, 'ENOSPC'],
    ['writeSync', 2, 'EDQUOT'],
    ['ftruncateSync', 1, 'ENOSPC'],
    ['fsync', 1, 'ENOSPC'],
    ['openSync', 1, 'ENOSPC'],
  ] as const)('is disk-full at %s call %i (%s), and the temp file is gone', async (name, n, code) => {
    write('app.db', 'old')
    failAt(name, n, code)
    const outcome = await run({ overwrite: true })
    expect(isReplicaError(outcome, 'disk-full')).toBe(true)
    expect((outcome as Error).cause).toMatchObject({ code })
    expect(contents()).toEqual({ 'app.db': 'old' })
  })

  test('is told from other errors of the disk, which stay what they are', async () => {
    failAt('writeSync', 2, 'EIO')
    expect(await run()).toMatchObject({ code: 'EIO' })
    expect(contents()).toEqual({})
  })
})

test('T16: a database across the lock page stays sparse and has its full size', async () => {
  const pageSize = 4096
  const lock = lockPgno(pageSize)
  const big = new Replica(new MemoryStore())
  const page = (seed: number): Uint8Array => pageOf(pageSize, seed)
  await put(big, 0, 1, 1, encodeFile({ min: 1, max: 1, pageSize, commit: 1, pages: new Map([[1, page(1)]]) }))
  const around = new Map([lock - 1, lock + 1].map((pgno) => [pgno, page(pgno % 251)]))
  await put(big, 0, 2, 2, encodeFile({ min: 2, max: 2, pageSize, commit: lock + 1, pages: around }))
  for (const [txid, commit] of [
    [3, lock],
    [4, lock - 1],
  ] as const) {
    const pages = new Map([[1, page(txid)]])
    await put(big, 0, txid, txid, encodeFile({ min: txid, max: txid, pageSize, commit, pages }))
  }
  const catalog = await big.catalog()
  for (const [txid, pages] of [
    [2, lock + 1],
    [3, lock],
    [4, lock - 1],
  ] as const) {
    const target = join(folder, `${txid}.db`)
    await restore(big, planRestore(catalog, { kind: 'txid', txid: BigInt(txid) as never }), fileSink(target))
    const { size, blocks } = statSync(target)
    expect(size).toBe(pages * pageSize)
    expect(blocks * 512).toBeLessThan(1 << 20)
  }
})
