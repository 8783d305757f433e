import type { Span } from './scale.ts'

/** A mark of an axis. */
export interface Tick {
  /** In the units of the axis. */
  readonly at: number
  readonly label: string
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const TIME_STEPS = [
  1,
  10,
  100,
  ...[1, 2, 5, 10, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 30].map((n) => n * MINUTE),
  ...[1, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * DAY),
]

/** Round numbers of transactions, at most `most` of them. `origin` is the transaction at 0. */
export function txidTicks(view: Span, most: number, origin: bigint): Tick[] {
  const step = Math.max(1, niceStep((view.to - view.from) / Math.max(1, most)))
  const ticks: Tick[] = []
  const rest = Number(origin % BigInt(step))
  for (let at = Math.ceil((view.from + rest) / step) * step - rest; at <= view.to; at += step) {
    ticks.push({ at, label: String(origin + BigInt(Math.round(at))) })
  }
  return ticks
}

/** Round instants in UTC, at most `most` of them; the first one, and each first of a day, carries its date. */
export function timeTicks(view: Span, most: number): Tick[] {
  const wish = (view.to - view.from) / Math.max(1, most)
  const step = TIME_STEPS.find((each) => each >= wish) ?? Math.ceil(wish / (365 * DAY)) * 365 * DAY
  const ticks: Tick[] = []
  let day = ''
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const text = new Date(at).toISOString()
    const date = text.slice(0, 10)
    const clock = step < SECOND ? text.slice(11, 23) : step < MINUTE ? text.slice(11, 19) : text.slice(11, 16)
    const label = step >= DAY ? date : date === day ? clock : `${date.slice(5)} ${clock}`
    day = date
    ticks.push({ at, label })
  }
  return ticks
}

/** 1, 2 or 5 times a power of ten, not less than the wish. */
function niceStep(wish: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(wish, 1e-9)))
  return power * ([1, 2, 5, 10].find((n) => n * power >= wish) ?? 10)
}
