import type { At } from '@sqlstream/read-replica'
import { CLIError } from '../cli-error.ts'
import { parseRestoreTarget } from '../restore-target.ts'

/** A state of the past by its TXID (hexadecimal) or an instant (RFC 3339). @throws CLIError `usage` */
export function parseAt(text: string): At {
  if (text === '')
    throw new CLIError('usage', 'no instant and no TXID', 'for example .at 2026-11-24T03:15:00Z')
  const at = atOf(/^[0-9a-f]{1,16}$/i.test(text) ? { txid: text } : { at: text })
  return at as At
}

/** The state that flags name; undefined for the newest. @throws CLIError `usage` */
export function atOf(flags: {
  readonly txid?: string | undefined
  readonly at?: string | undefined
}): At | undefined {
  const target = parseRestoreTarget({ txid: flags.txid, timestamp: flags.at })
  if (target.kind === 'latest') return undefined
  return target.kind === 'txid' ? { txid: target.txid } : { time: target.timestamp }
}
