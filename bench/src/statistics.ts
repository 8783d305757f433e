/** The value below which this part (0 to 1) of the sample lies. NaN of nothing. */
export function quantile(sample: ArrayLike<number>, part: number): number {
  const sorted = Float64Array.from(sample).sort()
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN
}

export function median(sample: ArrayLike<number>): number {
  return quantile(sample, 0.5)
}

/** Megabytes (10^6) a second. */
export function rate(bytes: number, milliseconds: number): number {
  return bytes / 1e3 / milliseconds
}

/** Milliseconds on a clock that all processes of this machine share. */
export function sharedClock(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
