/** One-based page number. */
export type Pgno = number

/** Page sizes that SQLite knows, in bytes. */
export type PageSize = 512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768 | 65536

/** Whether SQLite knows pages of `n` bytes: a power of two from 512 to 65536. */
export function isPageSize(n: number): n is PageSize {
  return n >= 512 && n <= 65536 && (n & (n - 1)) === 0
}
