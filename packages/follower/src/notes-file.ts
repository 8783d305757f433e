import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { decodeNotes, encodeNotes, type Notes } from './position.ts'
import { syncFolder } from './state-folder.ts'

const SLOT_BYTES = 2048

/**
 * Where a copy stands, in two slots that are written in turn: a write that is torn leaves the other one. One sync a write, and no new name
 * in the folder.
 */
export class NotesFile implements Disposable {
  readonly #fd: number
  #sequence = 0
  #notes: Notes | undefined

  constructor(path: string) {
    this.#fd = openOrCreate(path)
    for (const slot of [0, 1]) {
      const found = readSlot(this.#fd, slot)
      if (found === undefined || found.sequence <= this.#sequence) continue
      this.#sequence = found.sequence
      this.#notes = found.notes
    }
  }

  /** What was written last; undefined when nothing was. */
  get notes(): Notes | undefined {
    return this.#notes
  }

  /** Durable when it returns. */
  write(notes: Notes): void {
    const sequence = this.#sequence + 1
    const text = `${sequence} ${encodeNotes(notes)}`
    const line = `${checksum(text)} ${text}\n`
    if (line.length > SLOT_BYTES) throw new RangeError(`notes of ${line.length} bytes`)
    writeSync(this.#fd, Buffer.from(line.padEnd(SLOT_BYTES)), 0, SLOT_BYTES, (sequence % 2) * SLOT_BYTES)
    fdatasyncSync(this.#fd)
    this.#sequence = sequence
    this.#notes = notes
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}

function openOrCreate(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const fd = openSync(path, 'wx+')
  syncFolder(dirname(path))
  return fd
}

function readSlot(fd: number, slot: number): { sequence: number; notes: Notes } | undefined {
  const bytes = Buffer.alloc(SLOT_BYTES)
  const size = readSync(fd, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES)
  const [, sum, text = '', sequence, json = ''] =
    /^([0-9a-f]{8}) (([0-9]+) (.*))\n/.exec(bytes.toString('utf8', 0, size)) ?? []
  if (sum === undefined || checksum(text) !== sum) return undefined
  const notes = decodeNotes(json)
  return notes && { sequence: Number(sequence), notes }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
