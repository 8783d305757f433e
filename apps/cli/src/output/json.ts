import { formatFilename, formatTXID } from '@sqlstream/ltx'
import type { LTXFile } from '@sqlstream/replica'
import type { FileJSON } from '../schema-parts.ts'

/** A file of a replica as it appears in `--json` output. */
export function fileJSON(file: LTXFile): FileJSON {
  return {
    name: formatFilename(file),
    level: file.level,
    minTXID: formatTXID(file.minTXID),
    maxTXID: formatTXID(file.maxTXID),
    size: file.size,
    modified: file.modified.toISOString(),
    ...(file.timestamp === undefined ? {} : { timestamp: file.timestamp.toISOString() }),
  }
}
