import { lockPgno } from '@sqlstream/ltx'
import type { Pager, Pinned, Reader } from '../pages/pager.ts'
import type { View } from '../view/view.ts'
import { Heap } from './heap.ts'
import { type Pointer, SQLITE, type SqliteModule } from './sqlite-module.ts'

/** The name under which SQLite finds the files of sessions. */
export const VFS_NAME = 'sqlstream'

/** A file as SQLite sees it: the database of one session. */
export interface VirtualFile extends Reader {
  /** The newest state: what a transaction that begins now reads. */
  newest(): Pinned
  /** The state of the transaction that is under way. */
  readonly pinned: Pinned | undefined
  /** A transaction begins, or goes on: it reads the state that is the newest one when it begins. */
  pin(): void
  /** It has ended. */
  unpin(): void
  /** Rises whenever a transaction reads another state than the one before. */
  changeCounter: number
  /** The schema cookie to show, for that of the database. */
  schemaCookie(database: number): number
  /** Keeps what a read has failed with, until the statement has failed by it. */
  failed(error: unknown): void
}

/** Byte offsets in page 1. */
const AT = { formats: 18, changeCounter: 24, size: 28, schemaCookie: 40, versionValidFor: 92 } as const

/**
 * Registers the file system of read replicas: files are named by session numbers and can be read. A transaction keeps the state that was the newest one when it
 * took its lock.
 */
export function installVfs(
  sqlite: SqliteModule,
  pager: Pager,
  fileOf: (name: string) => VirtualFile | undefined,
): void {
  const { capi, wasm } = sqlite
  const heap = new Heap(wasm)
  const open = new Map<Pointer, VirtualFile>()
  const io = new capi.sqlite3_io_methods()
  io.$iVersion = 1
  const vfs = new capi.sqlite3_vfs()
  const original = new capi.sqlite3_vfs(capi.sqlite3_vfs_find(null))
  vfs.$iVersion = 1
  vfs.$szOsFile = capi.sqlite3_file.structInfo.sizeof
  vfs.$mxPathname = 64
  vfs.$xRandomness = original.$xRandomness
  vfs.$xSleep = original.$xSleep
  vfs.$xCurrentTime = original.$xCurrentTime
  original.dispose()

  const fileAt = (pointer: Pointer): VirtualFile => open.get(pointer) as VirtualFile
  const readOnly = (): number => SQLITE.READONLY

  const ioMethods = {
    xClose(file: Pointer): number {
      open.delete(file)
      return SQLITE.OK
    },
    xRead(file: Pointer, target: Pointer, size: number, offset: bigint): number {
      const virtual = fileAt(file)
      try {
        const start = Number(offset)
        const { view } = current(virtual)
        if (isWholePage(view, size, start)) {
          const page = pager.read(current(virtual), start / view.pageSize + 1, virtual)
          if (page) heap.bytes.set(page, target)
          else heap.bytes.fill(0, target, target + size)
          return SQLITE.OK
        }
        const read = readBytes(pager, virtual, heap.bytes.subarray(target, target + size), start)
        return read === size ? SQLITE.OK : SQLITE.IOERR_SHORT_READ
      } catch (error) {
        virtual.failed(error)
        return SQLITE.IOERR_READ
      }
    },
    xWrite: readOnly,
    xTruncate: readOnly,
    xSync: () => SQLITE.OK,
    xFileSize(file: Pointer, size: Pointer): number {
      const { view } = current(fileAt(file))
      wasm.poke64(size, BigInt(view.commit) * BigInt(view.pageSize))
      return SQLITE.OK
    },
    xLock(file: Pointer, level: number): number {
      if (level > SQLITE.LOCK_SHARED) return SQLITE.READONLY
      fileAt(file).pin()
      return SQLITE.OK
    },
    xUnlock(file: Pointer, level: number): number {
      if (level === SQLITE.LOCK_NONE) fileAt(file).unpin()
      return SQLITE.OK
    },
    xCheckReservedLock(_file: Pointer, result: Pointer): number {
      wasm.poke32(result, 0)
      return SQLITE.OK
    },
    xFileControl: () => SQLITE.NOTFOUND,
    xSectorSize: () => 4096,
    xDeviceCharacteristics: () => 0,
  }

  const vfsMethods = {
    xOpen(_vfs: Pointer, name: Pointer, file: Pointer, _flags: number, outFlags: Pointer): number {
      const virtual = name === 0 ? undefined : fileOf(wasm.cstrToJs(name) ?? '')
      const struct = new capi.sqlite3_file(file)
      struct.$pMethods = virtual ? io.pointer : 0
      struct.dispose()
      if (!virtual) return SQLITE.CANTOPEN
      open.set(file, virtual)
      if (outFlags !== 0) wasm.poke32(outFlags, SQLITE.OPEN_READONLY)
      return SQLITE.OK
    },
    // There is never a journal or a log beside the database.
    xAccess(_vfs: Pointer, _name: Pointer, _flags: number, result: Pointer): number {
      wasm.poke32(result, 0)
      return SQLITE.OK
    },
    xDelete: readOnly,
    xFullPathname(_vfs: Pointer, name: Pointer, size: number, target: Pointer): number {
      const text = new TextEncoder().encode(wasm.cstrToJs(name) ?? '')
      if (text.byteLength >= size) return SQLITE.CANTOPEN
      const heap = wasm.heap8u()
      heap.set(text, target)
      heap[target + text.byteLength] = 0
      return SQLITE.OK
    },
    xGetLastError: () => 0,
  }

  sqlite.vfs.installVfs({
    io: { struct: io, methods: ioMethods },
    vfs: { struct: vfs, methods: vfsMethods, name: VFS_NAME },
  })
}

/** What a read outside of a transaction sees is read again inside of one: SQLite looks at the page size that way. */
function current(file: VirtualFile): Pinned {
  return file.pinned ?? file.newest()
}

/** Nearly all reads are of one page to which nothing has to be done. */
function isWholePage({ pageSize, commit }: View, size: number, offset: number): boolean {
  const isOne = size === pageSize && offset % pageSize === 0 && offset > 0 && offset < commit * pageSize
  return isOne && offset / pageSize + 1 !== lockPgno(pageSize)
}

/** Fills `target` and returns how many bytes the database has there; the rest is zeros. */
function readBytes(pager: Pager, file: VirtualFile, target: Uint8Array, offset: number): number {
  const pinned = current(file)
  const { pageSize, commit } = pinned.view
  const end = Math.min(offset + target.byteLength, commit * pageSize)
  for (let at = offset; at < end; ) {
    const pgno = Math.floor(at / pageSize) + 1
    const pageStart = (pgno - 1) * pageSize
    const until = Math.min(end, pageStart + pageSize)
    const page = pgno === lockPgno(pageSize) ? undefined : pager.read(pinned, pgno, file)
    const part = target.subarray(at - offset, until - offset)
    if (page) part.set(page.subarray(at - pageStart, until - pageStart))
    else part.fill(0)
    if (pgno === 1) patchPage1(part, at, file.changeCounter, commit)
    // Where a part of the page does not have it, it is not SQLite's schema that is read.
    if (pgno === 1 && page && at <= AT.schemaCookie && until >= AT.schemaCookie + 4) {
      put32(part, at, AT.schemaCookie, file.schemaCookie(get32(page, AT.schemaCookie)))
    }
    at = until
  }
  const read = Math.max(0, end - offset)
  target.fill(0, read)
  return read
}

/**
 * Page 1 as SQLite has to see it. Without a log beside it a database in WAL mode cannot be opened, so it says that it has a rollback journal. The counters
 * tell SQLite exactly when its own cache is out of date, and which size to believe.
 */
function patchPage1(part: Uint8Array, offset: number, counter: number, commit: number): void {
  put(part, offset, AT.formats, 1)
  put(part, offset, AT.formats + 1, 1)
  put32(part, offset, AT.changeCounter, counter)
  put32(part, offset, AT.size, commit)
  put32(part, offset, AT.versionValidFor, counter)
}

function get32(page: Uint8Array, at: number): number {
  return new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(at)
}

function put32(part: Uint8Array, offset: number, at: number, value: number): void {
  for (let i = 0; i < 4; i++) put(part, offset, at + i, (value >>> (24 - 8 * i)) & 0xff)
}

function put(part: Uint8Array, offset: number, at: number, value: number): void {
  if (at >= offset && at < offset + part.byteLength) part[at - offset] = value
}
