import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

/** Calls that change something or make it durable, in the order in which a store makes them. */
export interface SystemCalls extends Disposable {
  /** For instance "open .sqlstream~temp~…" or "sync object". */
  readonly log: string[]
  /** Makes calls fail: the log line, its number from 1, gives the code of the error or nothing. */
  fail: (call: string, number: number) => string | undefined
}

/** Those of names: which argument is the name that is changed. */
const OF_NAMES = { link: 1, rename: 1, unlink: 0, mkdir: 0, rmdir: 0 } as const
/** Those of descriptors, as the log names them. */
const OF_DESCRIPTORS = { write: 'write', futimes: 'utimes', fsync: 'sync', fdatasync: 'datasync' } as const

type Call = (...args: unknown[]) => unknown
type Done = (error: unknown, result?: unknown) => void

/** Watches and disturbs the system calls of this process until it is disposed. */
export function watchSystemCalls(): SystemCalls {
  const undo: (() => void)[] = []
  const paths = new Map<unknown, string>()
  const calls: SystemCalls = {
    log: [],
    fail: () => undefined,
    [Symbol.dispose]() {
      for (const step of undo) step()
      syncBuiltinESMExports()
    },
  }

  /** @throws what is planned, as Node makes it */
  function record(name: string, path: string): void {
    const shown = basename(path).replace(/^(\.sqlstream~[a-z]+).*/, '$1~…')
    const call = `${name} ${shown}`
    calls.log.push(call)
    const code = calls.fail(call, calls.log.length)
    if (code === undefined) return
    throw Object.assign(new Error(`${code}: planned, ${name} '${path}'`), { code, syscall: name, errno: -1 })
  }

  function replace<T extends object>(object: T, name: keyof T, make: (original: Call) => Call): void {
    const original = object[name] as Call
    object[name] = make(original) as T[typeof name]
    undo.push(() => {
      object[name] = original as T[typeof name]
    })
  }

  for (const [name, at] of Object.entries(OF_NAMES)) {
    replace(promises, name as keyof typeof OF_NAMES, (original) => async (...args) => {
      record(name, String(args[at]))
      return original(...args)
    })
  }
  replace(fs, 'openSync', (original) => (path, ...args) => {
    record('open', String(path))
    const fd = original(path, ...args)
    paths.set(fd, String(path))
    return fd
  })
  replace(fs, 'closeSync', (original) => (fd) => {
    // A descriptor must be closed even if the plan says that closing fails.
    original(fd)
    closed(fd)
  })
  replace(fs, 'open', (original) => (path, flags, done) => {
    if (planned(() => record('open', String(path)), done as Done)) return
    original(path, flags, (error: unknown, fd: unknown) => {
      if (error === null) paths.set(fd, String(path))
      ;(done as Done)(error, fd)
    })
  })
  replace(fs, 'close', (original) => (fd, done) => {
    original(fd, (error: unknown) => planned(() => closed(fd), done as Done) || (done as Done)(error))
  })
  for (const [name, shown] of Object.entries(OF_DESCRIPTORS)) {
    replace(fs, name as keyof typeof OF_DESCRIPTORS, (original) => (fd, ...args) => {
      const path = paths.get(fd)
      if (path !== undefined && planned(() => record(shown, path), args.at(-1) as Done)) return
      original(fd, ...args)
    })
  }

  function closed(fd: unknown): void {
    const path = paths.get(fd)
    paths.delete(fd)
    if (path !== undefined) record('close', path)
  }

  /** Whether it fails as planned: then `done` is called with that, later, as Node does. */
  function planned(recorded: () => void, done: Done): boolean {
    try {
      recorded()
      return false
    } catch (error) {
      setImmediate(done, error)
      return true
    }
  }

  syncBuiltinESMExports()
  return calls
}
