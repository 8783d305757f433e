import { parseTXID } from '@sqlstream/ltx'
import type { GenerationTarget, RestoreTarget } from '@sqlstream/replica'
import { CLIError } from './cli-error.ts'

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

/** What to restore, from the flags. @throws CLIError `usage` */
export function parseRestoreTarget(flags: {
  txid?: string | undefined
  timestamp?: string | undefined
  strict?: boolean | undefined
}): RestoreTarget {
  if (flags.txid !== undefined) return { kind: 'txid', txid: parseTXIDText(flags.txid) }
  if (flags.timestamp === undefined) return { kind: 'latest' }
  const timestamp = new Date(flags.timestamp)
  if (!RFC3339.test(flags.timestamp) || Number.isNaN(timestamp.getTime())) {
    throw new CLIError(
      'usage',
      `not an instant: ${flags.timestamp}`,
      'write it with its time zone, for example 2026-11-24T03:15:00Z',
    )
  }
  return { kind: 'timestamp', timestamp, strict: flags.strict === true }
}

/** The same wish for a backup of Litestream 0.3. @throws CLIError `usage` for a TXID */
export function generationTarget(target: RestoreTarget, generation: string | undefined): GenerationTarget {
  if (target.kind === 'txid') {
    throw new CLIError(
      'usage',
      'what is there is a backup of Litestream 0.3, which has no TXIDs',
      'restore the newest state, or that of an instant with --timestamp',
    )
  }
  return { ...target, generation }
}

/** What a word means that may be a TXID or an instant. @throws CLIError `usage` */
export function parseState(text: string): RestoreTarget {
  return parseRestoreTarget(/^[0-9a-f]{1,16}$/i.test(text) ? { txid: text } : { timestamp: text })
}

function parseTXIDText(text: string): ReturnType<typeof parseTXID> {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) {
    throw new CLIError(
      'usage',
      `not a TXID: ${text}`,
      'a TXID is up to 16 hexadecimal digits, as ltx list shows it',
    )
  }
  return parseTXID(text.toLowerCase().padStart(16, '0'))
}
