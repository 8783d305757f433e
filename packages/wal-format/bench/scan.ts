// Speed of the capture hot loop: `node bench/scan.ts` prints MB of WAL per second, best of several rounds.
import {
  createWALKernel,
  FrameScanner,
  type PageSize,
  WAL_FRAME_HEADER_SIZE,
  walChecksum,
} from '../src/index.ts'

/** Frames with right checksums, made with the code that is measured: speed is the subject here. */
function frames(pageSize: number, count: number, bigEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(count * (WAL_FRAME_HEADER_SIZE + pageSize))
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < bytes.length >>> 2; i++) view.setUint32(4 * i, Math.imul(i, 0x9e3779b1) >>> 0)
  const sum = new Uint32Array(2)
  for (let i = 0; i < count; i++) {
    const at = i * (WAL_FRAME_HEADER_SIZE + pageSize)
    for (const [field, value] of [i + 1, i % 10 === 9 ? i + 1 : 0, 1, 2].entries())
      view.setUint32(at + 4 * field, value)
    walChecksum(sum, bytes, at, 8, bigEndian)
    walChecksum(sum, bytes, at + WAL_FRAME_HEADER_SIZE, pageSize, bigEndian)
    view.setUint32(at + 16, sum[0]!)
    view.setUint32(at + 20, sum[1]!)
  }
  return bytes
}

interface Case {
  readonly bigEndian: boolean
  /** Bytes before the first frame in its memory. */
  readonly shift?: number
  /** In a kernel's memory. */
  readonly kernel?: boolean
}

function measure(pageSize: PageSize, { bigEndian, shift = 0, kernel = false }: Case): number {
  const count = Math.ceil((16 << 20) / pageSize)
  const made = frames(pageSize, count, bigEndian)
  const memory = kernel ? createWALKernel({ pageSize, bytes: made.length, backend: 'wasm' }) : undefined
  const buffer = memory?.frames ?? new Uint8Array(made.length + shift).subarray(shift)
  buffer.set(made)
  const perCall = Math.max(1, Math.floor((1 << 20) / (WAL_FRAME_HEADER_SIZE + pageSize)))
  let seen = 0
  let best = 0
  for (let round = 0; round < 30; round++) {
    const start = { pageSize, bigEndian, salt1: 1, salt2: 2, checksum1: 0, checksum2: 0 }
    const scanner = new FrameScanner(start, { kernel: memory })
    const begin = performance.now()
    let valid = 0
    while (valid < count) {
      const n = Math.min(perCall, count - valid)
      const found = scanner.scan(buffer, valid * (WAL_FRAME_HEADER_SIZE + pageSize), n, (pgno) => {
        seen += pgno
      })
      if (found < n) throw new Error('the frames are not valid')
      valid += found
    }
    best = Math.max(best, buffer.length / 1e3 / (performance.now() - begin))
  }
  if (seen === 0) throw new Error('no frame was visited')
  return best
}

for (const pageSize of [512, 1024, 4096, 65536] as const) {
  const figures = Object.entries({
    'kernel, little-endian': { bigEndian: false, kernel: true },
    'kernel, big-endian': { bigEndian: true, kernel: true },
    'JavaScript, little-endian': { bigEndian: false },
    unaligned: { bigEndian: false, shift: 1 },
    'big-endian': { bigEndian: true },
  }).map(([name, which]) => `${name} ${measure(pageSize, which).toFixed(0)}`)
  console.log(`pages of ${pageSize} bytes, MB/s: ${figures.join(', ')}`)
}
