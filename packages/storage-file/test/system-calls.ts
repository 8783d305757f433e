import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { devNull } from 'node:os'
import { basename } from 'node:path'

/** Calls that change something or make it durable, in the order in which a store makes them. */
const FUNCTIONS = ['open', 'link', 'rename', 'unlink', 'mkdir', 'rmdir'] as const
const METHODS = ['write', 'utimes', 'sync', 'datasync', 'close'] as const

type AnyFunction = (...args: never[]) => unknown

export interface SystemCalls extends Disposable {
  /** For instance "open .sqlstream~temp~…" or "sync object". */
  readonly log: string[]
  /** Makes calls fail: the log line, its number from 1, gives the code of the error or nothing. */
  fail: (call: string, number: number) => string | undefined
}

/** Watches and disturbs the system calls of this process until it is disposed. */
export async function watchSystemCalls(): Promise<SystemCalls> {
  const calls: SystemCalls = { log: [], fail: () => undefined, [Symbol.dispose]: restore }
  const undo: (() => void)[] = []
  const paths = new WeakMap<object, string>()

  function record(name: string, path: string): void {
    const shown = basename(path).replace(/^(\.sqlstream~[a-z]+).*/, '$1~…')
    const call = `${name} ${shown}`
    calls.log.push(call)
    const code = calls.fail(call, calls.log.length)
    if (code === undefined) return
    // As Node makes them.
    throw Object.assign(new Error(`${code}: planned, ${name} '${path}'`), { code, syscall: name, errno: -1 })
  }

  function replace<T extends object>(
    object: T,
    name: keyof T & string,
    make: (original: AnyFunction) => AnyFunction,
  ): void {
    const original = object[name] as AnyFunction
    object[name] = make(original) as T[typeof name]
    undo.push(() => {
      object[name] = original as T[typeof name]
    })
  }

  for (const name of FUNCTIONS) {
    replace(fs, name, (original) => async (...args: unknown[]) => {
      record(name, String(args[name === 'link' || name === 'rename' ? 1 : 0]))
      const result = await (original as (...args: unknown[]) => Promise<unknown>)(...args)
      if (name === 'open') paths.set(result as object, String(args[0]))
      return result
    })
  }
  const handle = await fs.open(devNull)
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  for (const name of METHODS) {
    replace(
      prototype,
      name,
      (original) =>
        async function (this: FileHandle, ...args: unknown[]) {
          const path = paths.get(this)
          // A descriptor must be closed even if the plan says that closing fails.
          const run = (): unknown => (original as (...args: unknown[]) => unknown).apply(this, args)
          if (name === 'close') await run()
          if (path !== undefined) record(name, path)
          return name === 'close' ? undefined : run()
        } as AnyFunction,
    )
  }
  syncBuiltinESMExports()
  await handle.close()

  function restore(): void {
    for (const step of undo) step()
    syncBuiltinESMExports()
  }
  return calls
}
