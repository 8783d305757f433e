/** A view of exactly these bytes (a Uint8Array may lie anywhere in its buffer). */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Big-endian uint32 without a DataView. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** Writes the low 32 bits big-endian. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** A uint64 that counts bytes; undefined above 2^53-1, where numbers stop being exact. */
export function readSize(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at)
  return high > 0x1f_ffff ? undefined : high * 2 ** 32 + view.getUint32(at + 4)
}
