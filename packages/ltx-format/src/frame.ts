/** Bytes before the data of a page: number (4) and flags (2). Six zero bytes end the pages. */
export const PAGE_HEADER_SIZE = 6
/** Page flag: a 4-byte size and an LZ4 block follow. Without it an LZ4 frame follows. */
export const PAGE_FLAG_SIZE = 1
/** Bytes before the block of a page with PAGE_FLAG_SIZE. */
export const FRAME_HEADER_SIZE = 10
