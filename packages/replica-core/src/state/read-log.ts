import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { TXID } from '@sqlstream/ltx'
import { sequenceOf } from './journal.ts'
import { readRecords } from './log-record.ts'
import { seatKey } from './seat.ts'

const SEGMENT = /^captures-(\d{1,15})$/

/**
 * The file that tells a log from another one in its place: as long as it is there, what the log does not know it was
 * not to know any more.
 */
export function logIdPath(folder: string): string {
  return join(folder, 'id')
}

/** Undefined for a log that was lost, or of an earlier version. */
export function readLogId(folder: string): string | undefined {
  try {
    const id = readFileSync(logIdPath(folder), 'utf8').trim()
    return id === '' ? undefined : id
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Where a segment of a log lies. */
export function segmentPath(folder: string, number: number): string {
  return join(folder, `captures-${number}`)
}

/** A capture of which a log knows. */
export interface LoggedCapture {
  readonly sequence: number
  /** As the journal has it. */
  readonly journalRecord: Uint8Array
  /** The level-0 file; empty when it lies in the spool, or where there is none. */
  readonly content: Uint8Array
}

/** What a log holds of one database. */
export interface LoggedDatabase {
  readonly stateFolder: string
  readonly captures: LoggedCapture[]
  /** The replica has everything up to here. */
  acknowledged: TXID | undefined
  /** A segment with records of it ends in something that is no record: an append that was torn, or damage. */
  torn: boolean
}

/** What a folder holds of a log. */
export interface LogContent {
  /** By the key of their seats. */
  readonly databases: ReadonlyMap<string, LoggedDatabase>
  /** Numbers of the segments, in order. */
  readonly segments: readonly number[]
}

/** Numbers of the segments of a log, in order. None when there is no log. */
export function listSegments(folder: string): number[] {
  const numbers: number[] = []
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return numbers
    throw error
  }
  for (const name of names) {
    const number = SEGMENT.exec(name)?.[1]
    if (number !== undefined) numbers.push(Number(number))
  }
  return numbers.sort((a, b) => a - b)
}

/** Reads a log whose process may have died in the middle of a record, or goes on meanwhile. */
export function readLog(folder: string): LogContent {
  const databases = new Map<string, LoggedDatabase>()
  const segments = listSegments(folder)
  for (const number of segments) {
    let bytes: Uint8Array
    try {
      bytes = readFileSync(segmentPath(folder, number))
    } catch (error) {
      // It was dropped just now: all of it is in the files of the databases.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    const { records, length } = readRecords(bytes)
    const torn = length < bytes.length
    for (const record of records) {
      const key = seatKey(record.seat)
      if (record.kind === 'seat') {
        const stateFolder = resolve(folder, record.stateFolder)
        const known = databases.get(key)
        if (known) known.torn ||= torn
        else databases.set(key, { stateFolder, captures: [], acknowledged: undefined, torn })
        continue
      }
      const database = databases.get(key)
      if (database === undefined) continue
      if (record.kind === 'acknowledged') {
        database.acknowledged = record.txid
      } else {
        const { journalRecord, content } = record
        database.captures.push({ sequence: sequenceOf(journalRecord), journalRecord, content })
      }
    }
  }
  return { databases, segments }
}
