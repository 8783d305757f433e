import { describe, expect, test } from 'vitest'
import { clampSpan, pan, timeScale, txidScale, zoom } from '../src/model/scale.ts'
import { timeTicks, txidTicks } from '../src/model/ticks.ts'
import { findBar, layoutTimeline, nearestBar } from '../src/model/timeline-layout.ts'
import { catalog, type FileWords, file, name, START } from './support.ts'

/** Each bar as `x+width` and what it stands for. */
function layout(files: readonly FileWords[], width: number, axis: 'txid' | 'time' = 'txid') {
  const { levels } = catalog(...files)
  const list = files.map(file)
  const scale = axis === 'txid' ? txidScale(list) : timeScale(list)
  return layoutTimeline({ levels, scale, view: scale.whole, width })
}

function words(files: readonly FileWords[], width: number, axis: 'txid' | 'time' = 'txid') {
  return layout(files, width, axis).map(
    ({ level, bars }) =>
      `${level}: ${bars.map((bar) => `${Math.round(bar.x)}+${Math.round(bar.width)} ${bar.files.map(name).join(',')}`).join(' | ')}`,
  )
}

test.each<{ what: string; files: FileWords[]; width: number; axis?: 'time'; expected: string[] }>([
  { what: 'nothing', files: [], width: 100, expected: [] },
  {
    what: 'a capture is as wide as its transactions, a snapshot is a point where its state lies',
    files: [
      [9, 1, 1],
      [0, 2, 2],
      [0, 3, 5],
    ],
    width: 500,
    expected: ['9: 90+10 9:1-1', '0: 100+100 0:2-2 | 200+300 0:3-5'],
  },
  {
    what: 'levels go from snapshots to captures',
    files: [
      [0, 2, 2],
      [1, 2, 3],
      [9, 1, 1],
      [2, 2, 3],
    ],
    width: 300,
    expected: ['9: 90+10 9:1-1', '2: 100+200 2:2-3', '1: 100+200 1:2-3', '0: 100+100 0:2-2'],
  },
  {
    what: 'what is too close together becomes one bar',
    files: [
      [0, 2, 2],
      [0, 3, 3],
      [0, 4, 4],
      [0, 5, 101],
    ],
    width: 100,
    expected: ['0: 0+6 0:2-2,0:3-3,0:4-4 | 3+97 0:5-101'],
  },
  {
    what: 'by time a file begins where the state before it lies',
    files: [
      [9, 1, 1, 0],
      [0, 2, 2, 10],
      [0, 3, 3, 100],
    ],
    width: 1000,
    axis: 'time',
    expected: ['9: 0+10 9:1-1', '0: 0+100 0:2-2 | 100+900 0:3-3'],
  },
])('layout: $what', ({ files, width, axis, expected }) => {
  expect(words(files, width, axis)).toEqual(expected)
})

test('ten thousand files become as many bars as fit, and none is lost', () => {
  const files = Array.from({ length: 10_000 }, (_, i): FileWords => [0, i + 2, i + 2])
  const [row] = layout(files, 1000)
  expect(row!.bars.length).toBeLessThan(200)
  expect(row!.bars.reduce((sum, bar) => sum + bar.files.length, 0)).toBe(10_000)
})

describe('moving', () => {
  const rows = layout(
    [
      [9, 1, 1],
      [1, 2, 9],
      [0, 2, 2],
      [0, 9, 9],
    ],
    900,
  )

  test.each([
    { from: '0/0', step: -1 as const, to: '1/0' },
    { from: '0/1', step: -1 as const, to: '1/0' },
    { from: '1/0', step: 1 as const, to: '0/0' },
    { from: '9/0', step: 1 as const, to: '1/0' },
    { from: '9/0', step: -1 as const, to: undefined },
  ])('from $from by $step leads to $to', ({ from, step, to }) => {
    const [level, bar] = from.split('/').map(Number)
    const row = rows.findIndex((each) => each.level === level)
    const next = nearestBar(rows, { row, bar: bar! }, step)
    expect(next && `${rows[next.row]!.level}/${next.bar}`).toBe(to)
  })

  test('a file is found by its key', () => {
    expect(findBar(rows, file([0, 9, 9]).key)).toEqual({ row: 2, bar: 1 })
    expect(findBar(rows, 'ltx/0/none')).toBeUndefined()
    expect(findBar(rows, undefined)).toBeUndefined()
  })
})

describe('the view', () => {
  const whole = { from: 0, to: 100 }

  test.each([
    { what: 'closer around a place', got: zoom(whole, whole, 2, 50), want: { from: 25, to: 75 } },
    { what: 'closer at the right end', got: zoom(whole, whole, 2, 100), want: { from: 50, to: 100 } },
    { what: 'no closer than some units', got: zoom(whole, whole, 1000, 0), want: { from: 0, to: 4 } },
    { what: 'no farther than everything', got: zoom(whole, { from: 40, to: 60 }, 0.01, 50), want: whole },
    { what: 'moved', got: pan(whole, { from: 40, to: 60 }, 0.5), want: { from: 50, to: 70 } },
    { what: 'moved to the end', got: pan(whole, { from: 40, to: 60 }, 9), want: { from: 80, to: 100 } },
    { what: 'larger than everything', got: clampSpan(whole, { from: -50, to: 500 }), want: whole },
  ])('$what', ({ got, want }) => {
    expect(got).toEqual(want)
  })
})

describe('marks of the axis', () => {
  test.each([
    { from: 0, to: 14, most: 5, origin: 0n, labels: '0 5 10' },
    { from: 0, to: 10, most: 10, origin: 7n, labels: '7 8 9 10 11 12 13 14 15 16 17' },
    { from: 3, to: 1000, most: 4, origin: 999n, labels: '1500' },
    {
      from: 0,
      to: 4,
      most: 2,
      origin: 2n ** 63n,
      labels: '9223372036854775808 9223372036854775810 9223372036854775812',
    },
  ])('$most transactions from $from to $to after $origin', ({ from, to, most, origin, labels }) => {
    expect(
      txidTicks({ from, to }, most, origin)
        .map(({ label }) => label)
        .join(' '),
    ).toBe(labels)
  })

  test.each([
    { seconds: 60, most: 6, labels: '01-01 00:00:00|00:00:10|00:00:20|00:00:30|00:00:40|00:00:50|00:01:00' },
    { seconds: 86_400 * 2, most: 4, labels: '01-01 00:00|12:00|01-02 00:00|12:00|01-03 00:00' },
    { seconds: 86_400 * 40, most: 3, labels: '2026-01-01|2026-01-15|2026-01-29' },
    { seconds: 0.02, most: 2, labels: '01-01 00:00:00.000|00:00:00.010|00:00:00.020' },
  ])('$most instants in $seconds s', ({ seconds, most, labels }) => {
    const ticks = timeTicks({ from: START, to: START + seconds * 1000 }, most)
    expect(ticks.map(({ label }) => label).join('|')).toBe(labels)
  })
})
