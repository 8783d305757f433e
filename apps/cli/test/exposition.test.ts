import { describe, expect, test } from 'vitest'
import { Counter, Histogram } from '../src/metrics/counter.ts'
import { parseListenAddress } from '../src/metrics/endpoint.ts'
import { formatExposition } from '../src/metrics/exposition.ts'
import { parseExposition } from './support/parse-exposition.ts'

describe('the text format', () => {
  test('escapes what would end a label or a line', () => {
    const database = 'a"b\\c\nd{},=é.db'
    const samples = [{ labels: { database }, value: 1.5e-7 }]
    const text = formatExposition([{ name: 'sqlstream_x', type: 'gauge', help: 'one\\two\nthree', samples }])
    expect(text).toBe(
      '# HELP sqlstream_x one\\\\two\\nthree\n# TYPE sqlstream_x gauge\nsqlstream_x{database="a\\"b\\\\c\\nd{},=é.db"} 1.5e-7\n',
    )
    expect(parseExposition(text).get('sqlstream_x')?.samples.size).toBe(1)
  })

  test('leaves out what has no number', () => {
    expect(formatExposition([{ name: 'x', type: 'gauge', help: 'x', samples: [] }])).toBe('')
  })

  test('of a histogram adds up, at its bounds too', () => {
    const histogram = new Histogram([0.1, 1])
    for (const value of [0.05, 0.1, 0.5, 1, 2]) histogram.observe(value)
    const samples = histogram.samples({ operation: 'get' })
    const text = formatExposition([{ name: 'h', type: 'histogram', help: 'h', samples }])
    expect(Object.fromEntries(parseExposition(text).get('h')?.samples ?? [])).toEqual({
      'h_bucket{operation="get",le="0.1"}': 2,
      'h_bucket{operation="get",le="1"}': 4,
      'h_bucket{operation="get",le="+Inf"}': 5,
      'h_sum{operation="get"}': 3.65,
      'h_count{operation="get"}': 5,
    })
  })

  test('of a counter has one line for each combination of labels', () => {
    const counter = new Counter()
    counter.add({ a: 'x', b: 'y' })
    counter.add({ a: 'x', b: 'y' }, 2)
    counter.add({ a: 'xb', b: '' })
    expect(counter.samples().map(({ value }) => value)).toEqual([3, 1])
  })

  test.each([
    ['a sample without its TYPE', 'x 1\n'],
    ['a line without its end', '# HELP x x\n# TYPE x gauge\nx 1'],
    ['one line twice', '# HELP x x\n# TYPE x gauge\nx 1\nx 2\n'],
    ['a counter with another name', '# HELP x x\n# TYPE x counter\nx 1\n'],
    ['a histogram that falls', hist('h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n')],
    ['an unescaped label', '# HELP x x\n# TYPE x gauge\nx{a="b"c"} 1\n'],
  ])('the parser of these tests refuses %s', (_, text) => {
    expect(() => parseExposition(text)).toThrow()
  })
})

function hist(lines: string): string {
  return `# HELP h h\n# TYPE h histogram\n${lines}`
}

describe('an address to listen at', () => {
  test.each([
    ['9090', { host: '127.0.0.1', port: 9090 }],
    ['0.0.0.0:9090', { host: '0.0.0.0', port: 9090 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
  ])('%s', (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected)
  })

  test.each(['', ':9090', '65536', '::1:9090', 'host:', 'a b:1', '-1', 'host:x'])('is not %j', (text) => {
    expect(() => parseListenAddress(text)).toThrow(expect.objectContaining({ code: 'usage' }))
  })
})
