// Speed of the capture hot loop: `node bench/scan.ts` prints MB of WAL per second, best of several rounds.
import { FrameScanner, type PageSize, WAL_FRAME_HEADER_SIZE, walChecksum } from '../src/index.ts'

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

function measure(pageSize: PageSize, bigEndian: boolean, shift: number): number {
  const count = Math.ceil((16 << 20) / pageSize)
  const made = frames(pageSize, count, bigEndian)
  const buffer = new Uint8Array(made.length + shift).subarray(shift)
  buffer.set(made)
  let seen = 0
  let best = 0
  for (let round = 0; round < 30; round++) {
    const scanner = new FrameScanner({ pageSize, bigEndian, salt1: 1, salt2: 2, checksum1: 0, checksum2: 0 })
    const start = performance.now()
    const valid = scanner.scan(buffer, 0, count, (pgno) => {
      seen += pgno
    })
    const rate = buffer.length / 1e3 / (performance.now() - start)
    if (valid !== count || seen === 0) throw new Error('the frames are not valid')
    best = Math.max(best, rate)
  }
  return best
}

for (const pageSize of [512, 1024, 4096, 65536] as const) {
  const figures = [measure(pageSize, false, 0), measure(pageSize, false, 1), measure(pageSize, true, 0)]
  const [fast, unaligned, bigEndian] = figures.map((figure) => `${figure.toFixed(0)} MB/s`)
  console.log(`page ${pageSize}: little-endian ${fast}, unaligned ${unaligned}, big-endian ${bigEndian}`)
}
