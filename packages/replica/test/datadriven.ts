import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** One block of a test data file: a command line, its input lines, and the output that is expected. */
interface Block {
  readonly comments: readonly string[]
  readonly command: string
  readonly input: readonly string[]
  readonly expected: string
}

/**
 * Runs every `*.txt` of a folder: blocks of `command`, input lines, `----`, expected output, an empty line. With
 * UPDATE_TESTDATA=1 the output is written instead of compared.
 *
 * @param only which files, by name; default: all
 */
export function testDataFiles(
  folder: string,
  run: () => (command: string, input: readonly string[]) => string,
  only = /^/,
): void {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.txt') && only.test(name))) {
    const path = join(folder, name)
    test(`${name} gives the recorded answers`, () => {
      const blocks = parse(readFileSync(path, 'utf8'))
      const execute = run()
      const actual = blocks.map((block) => ({ ...block, expected: execute(block.command, block.input) }))
      if (process.env['UPDATE_TESTDATA']) writeFileSync(path, format(actual))
      else expect(format(actual)).toBe(format(blocks))
      expect(blocks.length).toBeGreaterThan(0)
    })
  }
}

function parse(text: string): Block[] {
  return text
    .split(/\n\n+/)
    .map((part) => part.split('\n').filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const comments = lines.filter((line) => line.startsWith('#'))
      const rest = lines.filter((line) => !line.startsWith('#'))
      const end = rest.indexOf('----')
      return {
        comments,
        command: rest[0] ?? '',
        input: rest.slice(1, end < 0 ? undefined : end),
        expected: end < 0 ? '' : rest.slice(end + 1).join('\n'),
      }
    })
}

function format(blocks: readonly Block[]): string {
  return `${blocks
    .map(({ comments, command, input, expected }) => {
      if (command === '') return comments.join('\n')
      return [...comments, command, ...input, '----', ...(expected ? [expected] : [])].join('\n')
    })
    .join('\n\n')}\n`
}
