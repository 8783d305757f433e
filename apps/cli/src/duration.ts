import { CLIError } from './cli-error.ts'

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `200ms`, `1s`, `1.5m`, `1h`, `7d` as milliseconds. @throws CLIError `usage` */
export function parseDuration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const factor = UNIT_MS[unit ?? '']
  if (number === undefined || factor === undefined) {
    throw new CLIError(
      'usage',
      `not a duration: ${text}`,
      'write a number and a unit, for example 500ms, 1s or 2m',
    )
  }
  return Number(number) * factor
}

/** Whole milliseconds as `parseDuration` reads them, in the largest unit that fits: `36h`, `90s`, `7d`. */
export function spellDuration(milliseconds: number): string {
  const [unit = 'ms', factor = 1] =
    Object.entries(UNIT_MS).findLast(([, factor]) => milliseconds % factor === 0) ?? []
  return `${milliseconds / factor}${unit}`
}
