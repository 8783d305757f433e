/** What SQLite gives. */
export type SqlValue = null | number | bigint | string | Uint8Array

/** Characters of a value that a cell shows. */
const MOST_CHARACTERS = 300
const MOST_BYTES = 32

/** A value as a cell shows it: NULL in words, blobs in hexadecimal, long ones cut off with their size. */
export function cellText(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (value instanceof Uint8Array) {
    const digits = Array.from(value.subarray(0, MOST_BYTES), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('')
    return value.length > MOST_BYTES
      ? `x'${digits}…' ${value.length.toLocaleString('en')} bytes`
      : `x'${digits}'`
  }
  const text = String(value)
  if (text.length <= MOST_CHARACTERS) return text
  return `${text.slice(0, MOST_CHARACTERS)}… ${text.length.toLocaleString('en')} characters`
}

/** Numbers are aligned at their right. */
export function isNumber(value: SqlValue): boolean {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** A name as SQL writes it. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
