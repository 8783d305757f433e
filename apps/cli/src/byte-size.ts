import { CLIError } from './cli-error.ts'

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
  TB: 1e12,
  TiB: 2 ** 40,
}

/** `500MB`, `1.5GiB` as bytes: units of a thousand, and with `i` of 1024. @throws CLIError `usage` */
export function parseByteSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT]?i?B)$/.exec(text) ?? []
  const factor = UNIT_BYTES[unit ?? '']
  const bytes = factor === undefined ? Number.NaN : Math.round(Number(number) * factor)
  if (!Number.isSafeInteger(bytes)) {
    throw new CLIError(
      'usage',
      `not a size: ${text}`,
      'write a number and a unit, for example 500MB, 10GB or 2GiB',
    )
  }
  return bytes
}

/** Whole bytes as `parseByteSize` reads them, in the largest unit that fits. */
export function spellByteSize(bytes: number): string {
  const [unit = 'B', factor = 1] =
    Object.entries(UNIT_BYTES).findLast(([, factor]) => bytes % factor === 0) ?? []
  return `${bytes / factor}${unit}`
}
