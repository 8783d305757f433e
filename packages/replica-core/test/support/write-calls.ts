import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

export interface WriteCalls extends Disposable {
  /** Bytes that each call was given, in order. */
  readonly sizes: number[]
  /** How many bytes the n-th call (from 1) takes of those it is given; throws what the system would. Default: all. */
  take: (call: number, size: number) => number
}

/** Watches and disturbs the synchronous writes of this process until it is disposed. */
export function watchWrites(): WriteCalls {
  const { writevSync, writeSync } = fs
  const calls: WriteCalls = {
    sizes: [],
    take: (_call, size) => size,
    [Symbol.dispose]() {
      Object.assign(fs, { writevSync, writeSync })
      syncBuiltinESMExports()
    },
  }
  const write = (fd: number, parts: readonly Uint8Array[]): number => {
    const bytes = Buffer.concat(parts)
    calls.sizes.push(bytes.length)
    return writeSync(fd, bytes, 0, calls.take(calls.sizes.length, bytes.length))
  }
  Object.assign(fs, {
    writevSync: write,
    writeSync: (fd: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset) =>
      write(fd, [bytes.subarray(offset, offset + length)]),
  })
  syncBuiltinESMExports()
  return calls
}
