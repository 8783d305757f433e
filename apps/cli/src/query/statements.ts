/** A text of SQL, cut at the semicolons that end statements. */
export interface SplitText {
  /** With their semicolons; comments and white space alone are none. */
  readonly statements: readonly string[]
  /** What no semicolon ends yet; empty when there is nothing but white space and comments. */
  readonly rest: string
}

/** What a character begins, and what ends that. */
const QUOTES: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '[': ']' }

/** Splits as SQLite does: not inside of quotes and comments. */
export function splitStatements(text: string): SplitText {
  const statements: string[] = []
  let start = 0
  let isEmpty = true
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string
    const end = endOfPart(text, at)
    if (char === ';') {
      if (!isEmpty) statements.push(text.slice(start, end).trim())
      start = end
      isEmpty = true
    } else if (!/\s/.test(char) && !isComment(text, at)) isEmpty = false
    at = end
  }
  return { statements, rest: isEmpty ? '' : text.slice(start).trim() }
}

function isComment(text: string, at: number): boolean {
  return text.startsWith('--', at) || text.startsWith('/*', at)
}

/** Where the quoted text, the comment or the single character that begins here ends. */
function endOfPart(text: string, at: number): number {
  const quote = QUOTES[text[at] as string]
  const mark = quote ?? (text.startsWith('--', at) ? '\n' : text.startsWith('/*', at) ? '*/' : undefined)
  if (mark === undefined) return at + 1
  // A doubled quote ends one quoted text and begins the next: that comes to the same.
  const end = text.indexOf(mark, at + (quote === undefined ? 2 : 1))
  return end < 0 ? text.length : end + mark.length
}
