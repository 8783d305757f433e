import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * The last number in a commit log: the last commit whose return the writer saw. 0 when the log is absent
 * or empty. A last line without its end is not counted.
 */
export function lastCommit(commitLog: string): number {
  let fd: number
  try {
    fd = openSync(commitLog, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
  try {
    const { size } = fstatSync(fd)
    const tail = new Uint8Array(Math.min(size, 64))
    const length = readSync(fd, tail, 0, tail.length, size - tail.length)
    const text = new TextDecoder().decode(tail.subarray(0, length))
    const end = text.lastIndexOf('\n')
    if (end < 0) return 0
    return Number(text.slice(text.lastIndexOf('\n', end - 1) + 1, end))
  } finally {
    closeSync(fd)
  }
}
