import {
  CHECKSUM_FLAG,
  createHeader,
  decodeHeader,
  encodeHeader,
  HEADER_SIZE,
  type HeaderInit,
  isLTXError,
  type LTXErrorCode,
  type PageSize,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { header } from './files.ts'

const flagged = (n: number) => toChecksum(CHECKSUM_FLAG | BigInt(n))
const refused = (code: LTXErrorCode) => expect.toSatisfy((e: unknown) => isLTXError(e, code))

/** The bytes of a good header after `change`. */
function changed(change: (view: DataView) => void, more: Partial<HeaderInit> = {}): Uint8Array {
  const bytes = encodeHeader(header(2, 3, 9, more))
  change(new DataView(bytes.buffer))
  return bytes
}

describe('header', () => {
  test('H1 N1: fields lie where the format says, big-endian', () => {
    const bytes = encodeHeader(
      createHeader({
        flags: 0,
        pageSize: 65536,
        commit: 0x01020304,
        minTXID: toTXID(0x0102030405060708n),
        maxTXID: toTXID(0x1112131415161718n),
        timestamp: 0x0102030405,
        preApplyChecksum: toChecksum(0x8182838485868788n),
        walOffset: 0x20,
        walSize: 0x21,
        walSalt1: 0x31323334,
        walSalt2: 0x41424344,
        nodeId: 0x5152535455565758n,
        proof: {
          preApplyChecksum: toChecksum(0xa1a2a3a4a5a6a7a8n),
          postApplyChecksum: toChecksum(0xb1b2b3b4b5b6b7b8n),
        },
      }),
    )
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '4c545831' +
        '00000000' +
        '00010000' +
        '01020304' +
        '0102030405060708' +
        '1112131415161718' +
        '0000000102030405' +
        '8182838485868788' +
        '0000000000000020' +
        '0000000000000021' +
        '31323334' +
        '41424344' +
        '5152535455565758' +
        '53515331' +
        'a1a2a3a4a5a6a7a8' +
        'b1b2b3b4b5b6b7b8',
    )
  })

  test('T49 N2 H7: every field survives at every border of its width', () => {
    const uint32 = fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1)
    const wide = fc.constantFrom(
      1n,
      2n ** 31n,
      2n ** 32n,
      2n ** 53n,
      2n ** 63n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    )
    const size = fc.constantFrom(1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1)
    const pageSize = fc.constantFrom<PageSize>(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
    const time = fc.constantFrom(0, -1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1)
    const init = fc.record({
      pageSize,
      commit: uint32,
      maxTXID: wide.map(toTXID),
      timestamp: time,
      walOffset: size,
      walSize: size,
      walSalt1: uint32,
      walSalt2: uint32,
      nodeId: wide,
    })
    fc.assert(
      fc.property(init, (fields) => {
        const whole = createHeader({ ...fields, minTXID: toTXID(1) })
        expect(decodeHeader(encodeHeader(whole))).toEqual(whole)
      }),
    )
  })

  test('N2: numbers beyond 2^53 are refused, not rounded', () => {
    for (const at of [32, 48, 56]) {
      for (const value of [2n ** 53n, 2n ** 62n, -(2n ** 53n)]) {
        const bytes = changed((view) => view.setBigInt64(at, value))
        expect(() => decodeHeader(bytes)).toThrow(refused('bad-header'))
      }
    }
  })

  test('H1: reports other files and short ones by their own codes', () => {
    const bytes = encodeHeader(header(1, 1, 1))
    for (let size = 0; size < HEADER_SIZE; size++) {
      expect(() => decodeHeader(bytes.subarray(0, size))).toThrow(refused('truncated'))
    }
    expect(() => decodeHeader(changed((view) => view.setUint8(3, 0x32)))).toThrow(refused('bad-magic'))
  })

  test('reads bytes that lie anywhere in a larger buffer', () => {
    const pool = Buffer.concat([Buffer.alloc(7, 0xff), encodeHeader(header(4, 5, 6)), Buffer.alloc(9, 0xff)])
    expect(decodeHeader(pool.subarray(7))).toEqual(header(4, 5, 6))
  })

  const broken: readonly [string, (view: DataView) => void, Partial<HeaderInit>?][] = [
    ['H2: a page size of 0', (view) => view.setUint32(8, 0)],
    ['H2: a page size of 1000', (view) => view.setUint32(8, 1000)],
    ['H2: a page size of 131072', (view) => view.setUint32(8, 131072)],
    ['H3: unknown flags', (view) => view.setUint32(4, 3)],
    ['H3: an unknown high flag', (view) => view.setUint32(4, 0x8000_0002)],
    ['H4: a minimum TXID of 0', (view) => view.setBigUint64(16, 0n)],
    ['H4: TXIDs in wrong order', (view) => view.setBigUint64(16, 4n)],
    ['H5: a negative WAL offset', (view) => view.setBigInt64(48, -1n)],
    ['H5: a negative WAL size', (view) => view.setBigInt64(56, -1n), { walOffset: 32 }],
    ['H5: a WAL size without offset', (view) => view.setUint32(60, 1)],
    ['H5: a salt without offset', (view) => view.setUint32(64, 1)],
    ['H6: a pre-apply checksum with NoChecksum', (view) => view.setBigUint64(40, CHECKSUM_FLAG)],
    ['H6: a tracked file without pre-apply checksum', (view) => view.setUint32(4, 0)],
    [
      'H6: a pre-apply checksum without flag bit',
      (view) => view.setBigUint64(40, 5n),
      { flags: 0, preApplyChecksum: flagged(5) },
    ],
  ]

  test.each(broken)('%s is refused', (_, change, more) => {
    expect(() => decodeHeader(changed(change, more))).toThrow(refused('bad-header'))
  })

  test('H6: a snapshot has no pre-apply checksum, tracked or not', () => {
    const bytes = encodeHeader(header(1, 1, 1, { flags: 0 }))
    expect(decodeHeader(bytes).flags).toBe(0)
    new DataView(bytes.buffer).setBigUint64(40, CHECKSUM_FLAG)
    expect(() => decodeHeader(bytes)).toThrow(refused('bad-header'))
  })

  test('H7: a commit of 0 is allowed', () => {
    expect(decodeHeader(encodeHeader(header(2, 2, 0))).commit).toBe(0)
  })

  test('encodeHeader refuses fields out of range as a programming error', () => {
    const wrong: Partial<HeaderInit>[] = [
      { commit: -1 },
      { commit: 2 ** 32 },
      { commit: 1.5 },
      { timestamp: 2 ** 53 },
      { timestamp: Number.NaN },
      { walOffset: -1 },
      { walSize: 5 },
      { walSalt1: 2 ** 32, walOffset: 1 },
      { nodeId: -1n },
      { nodeId: 2n ** 64n },
      { minTXID: 0n as never },
      { maxTXID: (2n ** 64n) as never },
      { pageSize: 1000 as never },
      { flags: 1 },
      { preApplyChecksum: flagged(1) },
      { proof: { preApplyChecksum: flagged(1), postApplyChecksum: toChecksum(1) } },
      { proof: { preApplyChecksum: toChecksum(0), postApplyChecksum: flagged(1) } },
    ]
    for (const more of wrong) expect(() => encodeHeader(header(2, 3, 9, more))).toThrow(RangeError)
  })
})

describe('chain proof', () => {
  const proof = { preApplyChecksum: flagged(1), postApplyChecksum: flagged(2) }

  test('H8: survives, also as that of a snapshot', () => {
    expect(decodeHeader(encodeHeader(header(2, 3, 9, { proof }))).proof).toEqual(proof)
    for (const preApplyChecksum of [toChecksum(0), toChecksum(CHECKSUM_FLAG)]) {
      const first = { preApplyChecksum, postApplyChecksum: flagged(2) }
      expect(decodeHeader(encodeHeader(header(1, 3, 9, { proof: first }))).proof).toEqual(first)
    }
    expect(() => encodeHeader(header(1, 3, 9, { proof }))).toThrow(RangeError)
  })

  test('H9: absent or malformed means unproven, not corrupt', () => {
    const malformed: ((view: DataView) => void)[] = [
      (view) => view.setUint32(80, 0),
      (view) => view.setUint32(80, 0x53515332),
      (view) => view.setBigUint64(84, 1n),
      (view) => view.setBigUint64(84, 0n),
      (view) => view.setBigUint64(92, 2n),
    ]
    for (const change of malformed) {
      const decoded = decodeHeader(changed(change, { proof }))
      expect(decoded).toEqual(header(2, 3, 9))
      expect('proof' in decoded).toBe(false)
    }
  })
})
