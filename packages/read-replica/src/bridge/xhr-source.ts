import { FileGone, FilesNeeded, type RangeSource, StoreFailed, type Ticket } from '../pages/page-source.ts'

/** Requests that are planned at a time; each is sent when somebody waits for it. */
const MOST_PLANNED = 8

/** Where a file is for requests of this thread. */
export interface Address {
  readonly url: string
  /** Bytes. */
  readonly size: number
}

/**
 * Ranges by synchronous requests, for pages that have no shared memory: one after the other, from the thread of SQLite itself. What needs the other
 * side ends the statement with FilesNeeded.
 */
export class XhrSource implements RangeSource {
  readonly #addresses = new Map<number, Address>()
  readonly #planned = new Map<Ticket, { file: number; offset: number; length: number }>()
  #last = 0

  know(file: number, address: Address): void {
    this.#addresses.set(file, address)
  }

  start(file: number, offset: number, length: number): Ticket | undefined {
    if (this.#planned.size >= MOST_PLANNED) return undefined
    const ticket = ++this.#last
    this.#planned.set(ticket, { file, offset, length })
    return ticket
  }

  isDone(): boolean {
    return false
  }

  take(ticket: Ticket): Uint8Array {
    const planned = this.#planned.get(ticket)
    if (!planned) throw new RangeError(`there is no request ${ticket}`)
    const { file, offset, length } = planned
    const address = this.#addresses.get(file)
    if (!address) throw new RangeError(`there is no file ${file}`)
    const request = new XMLHttpRequest()
    request.open('GET', address.url, false)
    request.responseType = 'arraybuffer'
    request.setRequestHeader('range', `bytes=${offset}-${offset + length - 1}`)
    try {
      request.send()
    } catch (error) {
      throw new StoreFailed(file, `no answer: ${(error as Error).message}`)
    }
    const { status } = request
    // 416: shorter than it was.
    if (status === 404 || status === 410 || status === 416) throw new FileGone()
    if (status !== 206 && status !== 200) throw new StoreFailed(file, `the answer is ${status}`)
    const body = new Uint8Array(request.response as ArrayBuffer)
    // A server that knows no ranges sends all of it.
    const bytes = status === 200 ? body.subarray(offset, offset + length) : body
    if (bytes.byteLength !== length || sizeOf(request) !== address.size) throw new FileGone()
    return bytes

    function sizeOf(answer: XMLHttpRequest): number {
      const total = status === 200 ? undefined : answer.getResponseHeader('content-range')?.split('/')[1]
      // A bucket that does not expose the header: the frames tell, too.
      if (total === undefined && status === 206) return (address as Address).size
      return total === undefined ? body.byteLength : Number(total)
    }
  }

  release(ticket: Ticket): void {
    this.#planned.delete(ticket)
  }

  replan(_session: number, txid: bigint, file: number): never {
    throw new FilesNeeded(txid, file)
  }
}
