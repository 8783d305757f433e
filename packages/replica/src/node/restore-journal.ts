import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import {
  type Checksum,
  formatChecksum,
  formatTXID,
  isPageSize,
  type Pos,
  parseChecksum,
  parseTXID,
} from '@sqlstream/ltx'
import { PageSet } from '../restore/page-set.ts'

/** What an interrupted restore had written for certain. */
export interface JournalEntry {
  readonly pos: Pos
  readonly pageSize: number
  /** The temp file that it is about. */
  readonly inode: string
  readonly device: string
  readonly pages: PageSet
}

/** Beside the temp file. */
function journalPath(tempPath: string): string {
  return `${tempPath}-journal`
}

/** Undefined when there is none, or one that is not understood: then all is read again. */
export function readJournal(tempPath: string): JournalEntry | undefined {
  try {
    const json: unknown = JSON.parse(readFileSync(journalPath(tempPath), 'utf8'))
    const { version, txid, checksum, pageSize, commit, inode, device, pages } = json as Record<string, string>
    if (Number(version) !== 1 || !isPageSize(Number(pageSize))) return undefined
    return {
      pos: { txid: parseTXID(`${txid}`), postApplyChecksum: parseChecksum(`${checksum}`) as Checksum },
      pageSize: Number(pageSize),
      inode: `${inode}`,
      device: `${device}`,
      pages: PageSet.fromBytes(Buffer.from(`${pages}`, 'base64'), Number(commit)),
    }
  } catch {
    return undefined
  }
}

/** Replaces it in one step. */
export function writeJournal(tempPath: string, entry: JournalEntry): void {
  const { pos, pageSize, inode, device, pages } = entry
  const path = journalPath(tempPath)
  const json = {
    version: 1,
    txid: formatTXID(pos.txid),
    checksum: formatChecksum(pos.postApplyChecksum),
    pageSize,
    commit: pages.commit,
    inode,
    device,
    pages: Buffer.from(pages.toBytes()).toString('base64'),
  }
  writeFileSync(`${path}.tmp`, JSON.stringify(json))
  renameSync(`${path}.tmp`, path)
}

export function removeJournal(tempPath: string): void {
  rmSync(journalPath(tempPath), { force: true })
  rmSync(`${journalPath(tempPath)}.tmp`, { force: true })
}
