import type * as WAL from '@sqlstream/wal'
import { craftWAL, plainChecksum } from './craft.ts'

/** One check with known answers. It throws when the package gives another one. */
export interface Vector {
  readonly name: string
  run(): void | Promise<void>
}

/** The kernel to ask for, and the one that must come. They differ for `auto` alone. */
export interface Backend {
  readonly asked: 'auto' | 'wasm' | 'js'
  readonly expected: 'wasm' | 'js'
}

/**
 * What every engine must agree on: Node (vectors.test.ts), and Chromium in a page and in a worker (test/chromium.test.ts in the
 * root). Therefore nothing here may need Node or a test runner.
 */
export function vectors(wal: typeof WAL, backend: Backend): Vector[] {
  return [
    { name: 'walChecksum has the known sums in both byte orders', run: () => checkSums(wal) },
    ...[false, true].map((bigEndian) => ({
      name: `a scan finds every frame and ends at a flipped byte, ${bigEndian ? 'big' : 'little'}-endian`,
      run: () => scan(wal, backend, bigEndian),
    })),
    { name: 'a reader finds the transactions', run: () => read(wal) },
  ]
}

function checkSums({ walChecksum }: typeof WAL): void {
  const bytes = new TextEncoder().encode('sqlstream'.repeat(800))
  for (const [bigEndian, known] of [
    [false, 'de0482d0 69902848'],
    [true, '47eade90 40d31508'],
  ] as const) {
    for (const shift of [0, 1, 4]) {
      const moved = new Uint8Array(bytes.length + shift)
      moved.set(bytes, shift)
      const state = new Uint32Array(2)
      walChecksum(state, moved, shift, bytes.length, bigEndian)
      equal([...state].map((word) => word.toString(16)).join(' '), known, `shifted by ${shift}`)
    }
    equal(
      plainChecksum([0, 0], bytes, bigEndian)
        .map((word) => word.toString(16))
        .join(' '),
      known,
      'oracle',
    )
  }
}

const FRAMES = [
  { pgno: 1 },
  { pgno: 2, fill: 0xff },
  { pgno: 0x8000_0003, commit: 7, fill: 0x80 },
  { pgno: 4, commit: 9 },
]

function scan(wal: typeof WAL, backend: Backend, bigEndian: boolean): void {
  for (const pageSize of [512, 4096, 65536] as const) {
    const kernel = wal.createWALKernel({ pageSize, bytes: 5 * (pageSize + 24), backend: backend.asked })
    equal(kernel.backend, backend.expected, 'backend')
    const bytes = craftWAL(FRAMES, { pageSize, bigEndian })
    const header = wal.decodeWALHeader(bytes)
    const frameSize = wal.WAL_FRAME_HEADER_SIZE + pageSize
    const start = { ...header, bigEndian: header.bigEndianChecksums }
    const scanIn = (buffer: Uint8Array, offset: number, scanner: WAL.FrameScanner): string => {
      const seen: string[] = []
      const valid = scanner.scan(buffer, offset, FRAMES.length, (pgno, commit) =>
        seen.push(`${pgno}:${commit}`),
      )
      const sums = [...scanner.checksum].join(',')
      return `${valid} ${seen.join(' ')} ${scanner.lastCommitFrame} ${scanner.commit} ${sums}`
    }
    /** From the kernel's memory, which must give what any memory gives. */
    const scanned = (file: Uint8Array): string => {
      kernel.frames.fill(0)
      kernel.frames.set(file.subarray(wal.WAL_HEADER_SIZE))
      const result = scanIn(kernel.frames, 0, new wal.FrameScanner(start, { kernel }))
      equal(result, scanIn(file, wal.WAL_HEADER_SIZE, new wal.FrameScanner(start)), 'scan of the kernel')
      return result.replace(/ \S+$/, '')
    }
    equal(scanned(bytes), '4 1:0 2:0 2147483651:7 4:9 4 9', `pages of ${pageSize}`)
    for (let frame = 0; frame < FRAMES.length; frame++) {
      for (const at of [0, 9, 16, 23, 24, 24 + pageSize / 2, 23 + pageSize]) {
        const spoilt = bytes.slice()
        const where = wal.WAL_HEADER_SIZE + frame * frameSize + at
        spoilt[where] = spoilt[where]! ^ 0x10
        equal(scanned(spoilt).split(' ')[0], String(frame), `frame ${frame} spoilt at ${at}`)
      }
    }
  }
}

async function read(wal: typeof WAL): Promise<void> {
  const bytes = craftWAL(FRAMES)
  const reader = await wal.WALReader.open({
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  })
  const found: string[] = []
  for await (const { commit, pages } of reader) found.push(`${commit}:${[...pages.keys()].join(',')}`)
  equal(found.join(' '), '7:1,2,2147483651 9:4', 'transactions')
}

function equal(actual: string | undefined, expected: string, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`)
}
