import type { TestTitle } from './test-titles.ts'

const ROW = /^\| (T\d\d) \| ([^|]+) \| ([^|]*) \| ([^|]*) \|$/

/** Issues whose scenarios are complete. A test for a scenario of another one is a beginning. */
const COMPLETE = new Set(['issue 2'])

/** Scenarios that are complete before all others of their issue are. */
const COMPLETE_ALONE = new Set([
  'T23',
  'T24',
  'T25',
  'T26',
  'T27',
  'T28',
  'T29',
  'T30',
  'T31',
  'T32',
  'T33',
  'T34',
  'T35',
  'T36',
  'T37',
  'T38',
  'T39',
  'T40',
  'T41',
  'T42',
  'T43',
  'T44',
  'T45',
  'T50',
  'T52',
  'T54',
  'T63',
  'T67',
  'T70',
  'T71',
  'T74',
  'T75',
])

/**
 * Fills the columns "state" and "tests" of the table in docs/reliability.md: a scenario is done when
 * a test names it in its title and it or its issue is complete, begun when only the first holds, else it waits.
 */
export function fillScenarios(markdown: string, titles: readonly TestTitle[]): string {
  return markdown
    .split('\n')
    .map((line) => {
      const [, id = '', scenario = '', state = ''] = ROW.exec(line) ?? []
      if (id === '') return line
      const issue = /issue \d+/.exec(state)?.[0]
      const files = [
        ...new Set(titles.filter((each) => citesId(each.title, id)).map((each) => each.file)),
      ].sort()
      const plan = issue === undefined ? '' : `, ${issue}`
      const isComplete = issue === undefined || COMPLETE.has(issue) || COMPLETE_ALONE.has(id)
      const tested = isComplete ? 'done' : 'begun'
      const filled = `${files.length > 0 ? tested : 'waiting'}${plan}`
      return `| ${id} | ${scenario} | ${filled} | ${files.map((file) => `\`${file}\``).join(', ')} |`
    })
    .join('\n')
}

function citesId(title: string, id: string): boolean {
  return new RegExp(`\\b${id}[a-d]?\\b`).test(title)
}
