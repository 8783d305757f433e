/*
 * The memory of one kernel. Its owner lays the windows out behind HEAP, each with SLACK bytes behind it, writes their addresses
 * here, and reads results from here: so no number beyond 53 bits crosses the border, and nothing is allocated per call.
 */

import { makeShift } from './shift'

/** Room behind each window for copies that move 16 bytes at a time. */
export const SLACK: usize = 32

// Fixed places instead of data segments, which would put their zeros into the module. Nothing lies at 0, so that a forgotten address shows.

/** Raw state of the file checksum, 8 bytes. */
export const FILE_STATE: usize = 1024
/** Results of decode, five words: pages, bytes consumed, 1 if the end mark was met, bytes that entered the file checksum, a PROBLEM. */
export const RESULT: usize = 1040
/** 16 shuffles of 16 bytes, and 16 strides: lz4-decompress.ts. */
export const PATTERNS: usize = 1088
export const STRIDES: usize = 1344
// 256 double words at 2048: shift.ts.
/** 8192 half words: lz4-compress.ts. */
export const TABLE: usize = 4096
export const TABLE_SIZE: usize = 16384
/** One page, and SLACK: lz4-compress.ts. */
export const PAGE: usize = 65536
/**
 * First byte that is the owner's. 64 more than a multiple of 4096, since some machines (AMD Zen 3) copy 20 times slower when the
 * target is 16 bytes further in its 4 KiB than the source, and what programs allocate often begins at 16.
 */
export const HEAP: usize = 131136

export let pageSize: usize = 0
export let pages: usize = 0
export let pgnos: usize = 0
export let frames: usize = 0
export let frameSizes: usize = 0
export let pageSums: usize = 0
export let dataSums: usize = 0

/** Tells where the windows are, once for a memory that is new. */
export function place(
  size: usize,
  pagesAt: usize,
  pgnosAt: usize,
  framesAt: usize,
  frameSizesAt: usize,
  pageSumsAt: usize,
  dataSumsAt: usize,
): void {
  pageSize = size
  pages = pagesAt
  pgnos = pgnosAt
  frames = framesAt
  frameSizes = frameSizesAt
  pageSums = pageSumsAt
  dataSums = dataSumsAt
  makeShift(size)
}
