import type { TestTitle } from './test-titles.ts'

const ROW = /^\| (T\d\d) \| ([^|]+) \| ([^|]*) \| ([^|]*) \|$/

/**
 * Fills the columns "state" and "tests" of the table in docs/scenarios.md: a scenario is done when
 * a test names it in its title, else it waits for the issue that the row names.
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
      const filled = files.length > 0 ? `done${plan}` : `waiting${plan}`
      return `| ${id} | ${scenario} | ${filled} | ${files.map((file) => `\`${file}\``).join(', ')} |`
    })
    .join('\n')
}

function citesId(title: string, id: string): boolean {
  return new RegExp(`\\b${id}[a-d]?\\b`).test(title)
}
