import { formatTXID } from '@sqlstream/ltx'
import { type LTXFile, type Merge, type Merged, SNAPSHOT_LEVEL } from '@sqlstream/replica'
import type { MergeJSON } from '../maintenance-schema.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** A merge that is planned, as it appears in `--json` output. */
export function plannedMergeJSON({ level, inputs }: Merge): MergeJSON {
  const first = inputs[0] as LTXFile
  const last = inputs.at(-1) as LTXFile
  return {
    level,
    minTXID: formatTXID(first.minTXID),
    maxTXID: formatTXID(last.maxTXID),
    inputs: inputs.length,
    bytesToRead: inputs.reduce((sum, { size }) => sum + size, 0),
  }
}

/** A merge that was done, as it appears in `--json` output. */
export function mergedJSON({ file, inputs, milliseconds }: Merged): MergeJSON {
  const plan = plannedMergeJSON({ level: file.level, inputs })
  return { ...plan, bytes: file.size, milliseconds: Math.round(milliseconds) }
}

/** A merge in one line. */
export function mergeLine({
  level,
  minTXID,
  maxTXID,
  inputs,
  bytesToRead,
  bytes,
  milliseconds,
}: MergeJSON): string {
  const what =
    level === SNAPSHOT_LEVEL ? `snapshot of TXID ${maxTXID}` : `level ${level}: ${minTXID}-${maxTXID}`
  const from = `from ${formatCount(inputs, 'file')}`
  if (bytes === undefined) return `${what} ${from}, ${formatBytes(bytesToRead)} to read`
  return `${what} ${from}: ${formatBytes(bytes)} in ${formatDuration(milliseconds ?? 0)}`
}
