/** A fenced code block of a Markdown file. */
export interface CodeBlock {
  readonly language: string
  /** A file name after the language: other blocks import it by that name. */
  readonly name: string | undefined
  readonly code: string
  /** The heading above it. */
  readonly section: string
}

/** The fenced code blocks of a text, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let section = ''
  let open: { language: string; name: string | undefined; lines: string[] } | undefined
  for (const line of markdown.split('\n')) {
    const fence = /^```(\S*)\s*(\S+)?/.exec(line)
    if (open !== undefined && fence !== null) {
      const { language, name, lines } = open
      blocks.push({ language, name, code: `${lines.join('\n')}\n`, section })
      open = undefined
    } else if (open !== undefined) open.lines.push(line)
    else if (fence !== null) open = { language: fence[1] ?? '', name: fence[2], lines: [] }
    else section = /^#+\s+(.*)$/.exec(line)?.[1] ?? section
  }
  return blocks
}

/** The body cells of every table row of a text, header rows and rulers left out. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split('\n')
  return lines
    .filter(
      (line, i) =>
        line.startsWith('|') && !/^\|[\s:|-]+$/.test(line) && !/^\|[\s:|-]+$/.test(lines[i + 1] ?? ''),
    )
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    )
}
