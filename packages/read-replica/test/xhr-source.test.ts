import { afterEach, expect, test, vi } from 'vitest'
import { XhrSource } from '../src/bridge/xhr-source.ts'
import { FileGone, FilesNeeded, StoreFailed } from '../src/pages/page-source.ts'

const FILE = Uint8Array.from({ length: 1000 }, (_, i) => i)

/** What the next request gets. */
interface Answer {
  readonly status: number
  readonly body?: Uint8Array
  readonly range?: string
  readonly fails?: boolean
}

function answerWith(answer: Answer): string[] {
  const asked: string[] = []
  class FakeRequest {
    responseType = ''
    readonly status = answer.status
    open(method: string, url: string, isAsync: boolean): void {
      asked.push(`${method} ${url} ${isAsync}`)
    }
    setRequestHeader(name: string, value: string): void {
      asked.push(`${name}: ${value}`)
    }
    send(): void {
      if (answer.fails) throw new Error('the network is gone')
    }
    get response(): ArrayBuffer {
      return new Uint8Array(answer.body ?? []).buffer
    }
    getResponseHeader(): string | null {
      return answer.range ?? null
    }
  }
  vi.stubGlobal('XMLHttpRequest', FakeRequest)
  return asked
}

afterEach(() => vi.unstubAllGlobals())

function taken(answer: Answer): Uint8Array {
  answerWith(answer)
  const source = new XhrSource()
  source.know(3, { url: 'https://bucket/x', size: FILE.length })
  const ticket = source.start(3, 10, 20)!
  return source.take(ticket)
}

test('E1: a range is asked for when somebody waits for it, and not before', () => {
  const asked = answerWith({ status: 206, body: FILE.slice(10, 30), range: 'bytes 10-29/1000' })
  const source = new XhrSource()
  source.know(3, { url: 'https://bucket/x', size: FILE.length })
  const ticket = source.start(3, 10, 20)!
  expect([source.isDone(), asked]).toEqual([false, []])
  expect(source.take(ticket)).toEqual(FILE.subarray(10, 30))
  expect(asked).toEqual(['GET https://bucket/x false', 'range: bytes=10-29'])
})

test('E1: a server without ranges, and one that does not expose the size, will do', () => {
  expect(taken({ status: 200, body: FILE })).toEqual(FILE.subarray(10, 30))
  expect(taken({ status: 206, body: FILE.slice(10, 30) })).toEqual(FILE.subarray(10, 30))
})

test.each([
  { status: 404 },
  { status: 410 },
  { status: 416 },
  { status: 206, body: FILE.slice(10, 29) },
  { status: 206, body: FILE.slice(10, 30), range: 'bytes 10-29/999' },
  { status: 200, body: FILE.slice(0, 999) },
])('M1: what is gone, or another file by now, is told apart from failures (%j)', (answer) => {
  expect(() => taken(answer)).toThrow(FileGone)
})

test.each([{ status: 500 }, { status: 403 }, { status: 0, fails: true }])(
  'E1: a failure of the store is one (%j)',
  (answer) => {
    expect(() => taken(answer)).toThrow(StoreFailed)
  },
)

test('M1: other files cannot be found from here: the statement ends and says what it needs', () => {
  const source = new XhrSource()
  expect(() => source.replan(1, 7n, 3)).toThrow(FilesNeeded)
})

test('A1: no more requests are planned than can be kept', () => {
  const source = new XhrSource()
  const tickets = Array.from({ length: 9 }, () => source.start(1, 0, 1))
  expect(tickets[7]).toBeDefined()
  expect(tickets[8]).toBeUndefined()
  source.release(tickets[0]!)
  expect(source.start(1, 0, 1)).toBeDefined()
})
