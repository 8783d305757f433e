/* The kernel of @sqlstream/wal. */

export { checksum } from './wal-checksum'
export { COMMIT_SUM, HEAP, place, RESULT, SUM } from './wal-memory'
export { scan } from './wal-scan'
