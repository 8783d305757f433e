const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** Bytes with three digits at most: 840 B, 12.3 KB, 4.0 GB. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** An instant in UTC to the millisecond, as far as people read it: 2026-11-28 13:00:00.120. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
}

/** A transaction as people say it; hexadecimal as files are named. */
export function formatTXIDs(first: bigint, last: bigint): string {
  return first === last ? String(first) : `${first}–${last}`
}

/** 1 file, 2 files. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** 16 digits, as checksums are written. */
export function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}
