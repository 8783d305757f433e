import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { TXID } from '@sqlstream/ltx'
import { Slots } from '@sqlstream/storage'
import { breathe } from '../breathe.ts'
import { wrapFileError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import { acknowledgedRecord, captureRecord, seatRecord } from './log-record.ts'
import type { LoggedState, LogSeat } from './log-seat.ts'
import { LogSegment } from './log-segment.ts'
import { logIdPath, readLog, readLogId, segmentPath } from './read-log.ts'
import { repairAll } from './repair.ts'
import { replaceFile } from './replace-file.ts'
import { newSeatName, removeSeat, type Seat, writeSeat, writeSeatLater } from './seat.ts'
import { type LocalLock, type StateFolder, syncFolder, takeLocalLock } from './state-folder.ts'

const SEGMENT_BYTES = 32 << 20
/** While so many segments wait for the files of their databases, captures wait too. */
const MOST_SEGMENTS = 4
/** Between the beginnings of two syncs: what is captured meanwhile shares the second. */
const TICK_MS = 5
/** How many databases write their own files at once when a segment goes. */
const FLUSHES = 8

/** Settings of a log. */
export interface LogOptions {
  /** Length from which on a segment is followed by another. Default 32 MiB. */
  readonly segmentBytes?: number | undefined
  readonly failpoint?: FailpointHook | undefined
}

/** What the log knows of a seat. */
interface Place {
  readonly seat: Seat
  readonly folder: StateFolder
  readonly state: LoggedState
  /** Number of its newest append, and of the newest that is durable in its own files. */
  appended: number
  flushed: number
}

/**
 * A log of captures that the databases of a process share: what all of them captured is made durable by one sync, and each
 * database writes its own files only when a segment of the log is full (SPEC.md, L5). After a crash it is repaired from the log.
 */
export class CaptureLog {
  readonly folder: string
  readonly #id: string
  readonly #lock: LocalLock
  readonly #segmentBytes: number
  readonly #failpoint: FailpointHook | undefined
  /** The last one is written to. */
  readonly #segments: LogSegment<Place>[] = []
  /** Those with a seat on disk. Each segment knows all of them. */
  readonly #seated = new Set<Place>()
  /** States that could not be flushed when they were closed, by the path of their folder. */
  readonly #unflushed = new Map<string, { readonly place: Place; readonly reason: unknown }>()
  readonly #flushes = new Slots(FLUSHES)
  #nextSegment: number
  #appended = 0
  #durable = 0
  #lastSync = Number.NEGATIVE_INFINITY
  #syncing: Promise<void> | undefined
  #retiring: Promise<void> = Promise.resolve()
  #retireError: unknown

  private constructor(folder: string, id: string, lock: LocalLock, nextSegment: number, options: LogOptions) {
    this.folder = folder
    this.#id = id
    this.#lock = lock
    this.#nextSegment = nextSegment
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#failpoint = options.failpoint
  }

  /**
   * Opens the log in a folder, which is created if need be. What the last process left there is brought into the files of its databases first.
   * @throws PrimaryError `locked` while another process has it, `disk-full`, `state-folder`
   */
  static async open(folder: string, options: LogOptions = {}): Promise<CaptureLog> {
    try {
      mkdirSync(folder, { recursive: true })
    } catch (error) {
      throw wrapFileError(error, `creating ${folder}`)
    }
    const lock = takeLocalLock({ lock: join(folder, 'lock'), lockOwner: join(folder, 'lock-owner') })
    try {
      const content = readLog(folder)
      const complete = await repairAll(folder, content, () => breathe())
      if (complete) for (const number of content.segments) LogSegment.remove(segmentPath(folder, number))
      return new CaptureLog(folder, idOf(folder), lock, (content.segments.at(-1) ?? 0) + 1, options)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Whether a folder has been a log before. */
  static existsIn(folder: string): boolean {
    return existsSync(join(folder, 'lock'))
  }

  /**
   * Gives a database its seat. The caller holds its local lock and has repaired it.
   * @throws the system's error, also of what the last seat of this database left to be flushed
   */
  join(folder: StateFolder, state: LoggedState): LogSeat {
    const seat: Seat = { log: this.folder, name: newSeatName(), logId: this.#id }
    const place: Place = { seat, folder, state, appended: 0, flushed: 0 }
    return {
      sit: () => this.#sitLater(place),
      append: (journalRecord, content) =>
        this.#append(place, captureRecord(seat.name, journalRecord, content)),
      room: () => this.#room(),
      acknowledge: (txid) => this.#acknowledge(place, txid),
      synced: () => this.#synced(place.appended, place),
      flushed: () => {
        place.flushed = place.appended
        this.#dropFlushed(true)
      },
      leave: (reason) => {
        if (reason !== undefined) {
          this.#unflushed.set(folder.path, { place, reason })
          return
        }
        place.flushed = place.appended
        if (this.#seated.delete(place)) removeSeat(folder)
        this.#dropFlushed()
      },
    }
  }

  /** Brings in what a database could not flush when it was closed in this process. @throws why it still cannot */
  settle({ path }: StateFolder): void {
    const left = this.#unflushed.get(path)
    if (left === undefined) return
    this.#unflushed.delete(path)
    left.place.state.close()
    const again = this.#unflushed.get(path)
    if (again !== undefined) throw again.reason
  }

  /** Lets the log go. Segments that some database has not flushed stay for the next process. */
  async close(): Promise<void> {
    await this.#syncing?.catch(() => undefined)
    await this.#retiring
    // Where that fails again, the segments with its captures stay.
    for (const { place } of [...this.#unflushed.values()]) place.state.close()
    this.#dropFlushed(true)
    for (const segment of this.#segments.splice(0)) segment.close()
    this.#lock.release()
  }

  #append(place: Place, record: readonly Uint8Array[]): void {
    this.#sit(place)
    const segment = this.#current()
    const whose = segment.knows(place) ? [] : this.#introduction(place)
    segment.append([...whose, ...record], this.#failpoint)
    place.appended = ++this.#appended
    segment.note(place, place.appended)
  }

  /** With its first capture it takes its seat. */
  #sit(place: Place): void {
    if (this.#seated.has(place)) return
    try {
      writeSeat(place.folder, place.seat)
    } catch (error) {
      throw wrapFileError(error, place.folder.seat)
    }
    this.#seated.add(place)
  }

  async #sitLater(place: Place): Promise<void> {
    if (this.#seated.has(place)) return
    await writeSeatLater(place.folder, place.seat)
    // Else it would be found to be unknown to the log, as after damage.
    const segment = this.#current()
    segment.append(this.#introduction(place))
    segment.introduce(place)
    this.#seated.add(place)
  }

  #introduction({ seat, folder }: Place): Uint8Array[] {
    return seatRecord(seat.name, relative(this.folder, folder.path))
  }

  #acknowledge(place: Place, txid: TXID): void {
    const segment = this.#segments.at(-1)
    // What lies in an older segment will soon be in no log at all.
    if (segment === undefined || segment.broken || !segment.knows(place)) return
    try {
      segment.append(acknowledgedRecord(place.seat.name, txid))
    } catch {
      // A full disk: the file goes up again after a crash, and is found to be there.
    }
  }

  async #room(): Promise<void> {
    while (this.#segments.length >= MOST_SEGMENTS) {
      this.#retire()
      await this.#retiring
      if (this.#retireError !== undefined) throw this.#retireError
    }
  }

  /** The segment that is written to. */
  #current(): LogSegment<Place> {
    const current = this.#segments.at(-1)
    if (current !== undefined && current.length < this.#segmentBytes && !current.broken) return current
    const segment = LogSegment.create<Place>(segmentPath(this.folder, this.#nextSegment++))
    syncFolder(this.folder)
    this.#segments.push(segment)
    // Else the seats of those that rest a while would be found to be unknown to the log, as after damage.
    segment.append([...this.#seated].flatMap((place) => this.#introduction(place)))
    for (const place of this.#seated) segment.introduce(place)
    if (current !== undefined) this.#retire()
    return segment
  }

  /** Resolves when all appends up to this one are durable: in the log, or in the files of their databases. */
  async #synced(append: number, place: Place): Promise<void> {
    while (this.#durable < append && place.flushed < append) {
      this.#syncing ??= this.#sync().finally(() => {
        this.#syncing = undefined
      })
      await this.#syncing
    }
  }

  async #sync(): Promise<void> {
    const early = this.#lastSync + TICK_MS - performance.now()
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    this.#lastSync = performance.now()
    const upTo = this.#appended
    // In order: a later segment counts for nothing without the one before.
    for (const segment of [...this.#segments]) await segment.sync().catch(() => undefined)
    // What could not be synced goes into the files of its databases instead.
    const broken = this.#segments.filter((segment) => segment.broken)
    if (broken.length > 0) await this.#flushAll(broken)
    this.#failpoint?.('log:after-sync')
    this.#durable = upTo
  }

  /** Has the databases write their own files, so that all segments but the last can go. Its errors end in the next try. */
  #retire(): void {
    this.#retiring = this.#retiring.then(async () => {
      try {
        await this.#flushAll(this.#segments.slice(0, -1))
        this.#retireError = undefined
      } catch (error) {
        this.#retireError = error
      }
    })
  }

  async #flushAll(segments: readonly LogSegment<Place>[]): Promise<void> {
    const places = new Set(segments.flatMap((segment) => segment.unflushed()))
    await Promise.all([...places].map((place) => this.#flushes.run(() => this.#flush(place))))
    this.#dropFlushed()
  }

  async #flush(place: Place): Promise<void> {
    const upTo = place.appended
    // It was closed meanwhile.
    if (place.flushed >= upTo) return
    await place.state.flush()
    this.#failpoint?.('log:flushed')
    if (place.flushed < upTo) place.flushed = upTo
  }

  /** Removes segments of which every database has everything in its own files; the last one only when it is not written to any more. */
  #dropFlushed(closing = false): void {
    for (const segment of [...this.#segments]) {
      const isCurrent = segment === this.#segments.at(-1) && !segment.broken && !closing
      if (isCurrent || segment.unflushed().length > 0) continue
      this.#segments.splice(this.#segments.indexOf(segment), 1)
      segment.remove()
    }
  }
}

/** Kept for as long as the folder is: durable before the first seat names it. */
function idOf(folder: string): string {
  const known = readLogId(folder)
  if (known !== undefined) return known
  const id = randomUUID()
  try {
    replaceFile(logIdPath(folder), (fd) => writeFileSync(fd, `${id}\n`))
  } catch (error) {
    throw wrapFileError(error, logIdPath(folder))
  }
  return id
}
