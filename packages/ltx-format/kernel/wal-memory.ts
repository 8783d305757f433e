/*
 * The memory of a WAL kernel. Its owner lays windows out behind HEAP and writes their addresses here.
 */

/** The running checksum, two words, before and after a call. */
export const SUM: usize = 1024
/** The running checksum after the last commit frame of a scan, two words. */
export const COMMIT_SUM: usize = 1032
/** Results of a scan: one more than the index of the last commit frame (0: none), and the database size after it. */
export const RESULT: usize = 1040
/** First byte that is the owner's. */
export const HEAP: usize = 20480

export let pageSize: usize = 0
/** pageSize / 4 + 1 Fibonacci numbers: wal-checksum.ts. */
export let fibonacci: usize = 0
export let pgnos: usize = 0
export let commits: usize = 0

/** Tells where the windows are, and fills the table. */
export function place(size: usize, fibonacciAt: usize, pgnosAt: usize, commitsAt: usize): void {
  pageSize = size
  fibonacci = fibonacciAt
  pgnos = pgnosAt
  commits = commitsAt
  let at = fibonacciAt + size
  let a: u32 = 0
  let b: u32 = 1
  for (; at >= fibonacciAt; at -= 4) {
    store<u32>(at, a)
    const next = a + b
    a = b
    b = next
  }
}
