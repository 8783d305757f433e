import { readFileSync, statSync } from 'node:fs'

/** First byte of SQLite's lock on the database file that says "I use this database". */
export const SHARED_FIRST = 0x40000002
/** Byte of read slot 0 in the -shm file; slots 1 to 4 follow. */
export const READ_SLOT_0 = 123

/** Byte of the lock in the -shm file that whoever checkpoints has. */
export const CHECKPOINT_LOCK = 121

/** Whether a byte of the -shm file is the lock of a read slot. */
export function isReadSlot(byte: number): boolean {
  return byte >= READ_SLOT_0 && byte <= READ_SLOT_0 + 4
}

/** What a process's main thread does, as one letter: `S` sleeps, `T` was stopped (Linux). */
export function stateOf(pid: number): string {
  // The name before it may hold anything.
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)![0]!
}

/** The bytes of a file on which a process holds POSIX locks (Linux). Opens no descriptor of the file. */
export function lockedBytes(path: string, pid: number = process.pid): number[] {
  const { ino } = statSync(path)
  const locked: number[] = []
  for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
    const [, , , , holder, file, first, last] = line.trim().split(/\s+/)
    if (Number(holder) !== pid || file?.split(':')[2] !== `${ino}`) continue
    for (let byte = Number(first); byte <= Number(last); byte++) locked.push(byte)
  }
  return locked
}
