/** A metric as Prometheus would read it. */
export interface ParsedFamily {
  readonly type: string
  readonly help: string
  /** By the name with its suffix and its labels, as `x_bucket{le="1"}`. */
  readonly samples: Map<string, number>
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const NUMBER = /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/

/**
 * Reads the text format of Prometheus, version 0.0.4, and takes nothing that is not as it should be: order and uniqueness of lines, names,
 * escapes, suffixes, and histograms that add up.
 * @throws Error with the line
 */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  const families = new Map<string, ParsedFamily>()
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  let help: { name: string; text: string } | undefined
  let current: { name: string; family: ParsedFamily } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): Error => new Error(`${why}: ${line}`)
    const helps = /^# HELP (\S+) (.+)$/.exec(line)
    const types = /^# TYPE (\S+) (counter|gauge|histogram|summary|untyped)$/.exec(line)
    if (helps) {
      help = { name: helps[1] ?? '', text: helps[2] ?? '' }
    } else if (types) {
      const [, name = '', type = ''] = types
      if (help?.name !== name) throw fail('no HELP before it')
      if (!NAME.test(name)) throw fail('no name')
      if (families.has(name)) throw fail('comes twice')
      if ((type === 'counter') !== name.endsWith('_total')) throw fail('a counter ends in _total')
      current = { name, family: { type, help: help.text, samples: new Map() } }
      families.set(name, current.family)
    } else {
      const sample = parseSample(line)
      if (sample === undefined) throw fail('no sample')
      if (current === undefined) throw fail('no TYPE before it')
      const suffixes = current.family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!suffixes.some((suffix) => sample.name === `${current?.name}${suffix}`))
        throw fail(`not of ${current.name}`)
      const key = `${sample.name}${sample.labels}`
      if (current.family.samples.has(key)) throw fail('comes twice')
      current.family.samples.set(key, sample.value)
    }
  }
  for (const [name, family] of families) {
    if (family.samples.size === 0) throw new Error(`${name} has no sample`)
    if (family.type === 'histogram') checkHistogram(name, family)
    if (family.type !== 'gauge' && [...family.samples.values()].some((value) => value < 0))
      throw new Error(`${name} is below 0`)
  }
  return families
}

function parseSample(line: string): { name: string; labels: string; value: number } | undefined {
  const [, name = '', labels = '', value = ''] = /^([^\s{]+)(\{.*\})? (\S+)$/.exec(line) ?? []
  if (!NAME.test(name) || !NUMBER.test(value)) return undefined
  if (labels !== '') {
    const one = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\\\\\|\\\\"|\\\\n)*"'
    if (!new RegExp(`^\\{${one}(?:,${one})*\\}$`).test(labels)) return undefined
  }
  return { name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) }
}

function checkHistogram(name: string, { samples }: ParsedFamily): void {
  const series = new Map<string, { le: number; value: number }[]>()
  for (const [key, value] of samples) {
    const [, labels = '', le = ''] = new RegExp(`^${name}_bucket\\{(.*?),?le="([^"]*)"\\}$`).exec(key) ?? []
    if (le === '') continue
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
    series.set(labels, [...(series.get(labels) ?? []), { le: bound, value }])
  }
  for (const [labels, buckets] of series) {
    for (const [i, { le, value }] of buckets.entries()) {
      const before = buckets[i - 1]
      if (before && (before.le >= le || before.value > value)) throw new Error(`${name}{${labels}} falls`)
    }
    const shown = labels === '' ? '' : `{${labels}}`
    const last = buckets.at(-1)
    if (last?.le !== Number.POSITIVE_INFINITY || last.value !== samples.get(`${name}_count${shown}`))
      throw new Error(`${name}{${labels}} does not add up`)
    if (!samples.has(`${name}_sum${shown}`)) throw new Error(`${name}{${labels}} has no sum`)
  }
}
