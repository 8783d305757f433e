import { CLIError } from '../cli-error.ts'

/** What a shell would take for more than a letter of a word. */
const OPERATORS = new Set([...';&|<>()`\n'])
const HINT = 'put it in quotes, or name a shell: sh -c "..."'

/**
 * Splits a command into words as a shell would, without being one: quotes and backslashes mean what they mean there, variables, wildcards
 * and `~` are letters as others are, and what only a shell can carry out is an error.
 *
 * @throws CLIError `usage`
 */
export function splitWords(text: string): string[] {
  const words: string[] = []
  /** Undefined between words: an empty one in quotes is one, too. */
  let word: string | undefined
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] as string
    if (letter === ' ' || letter === '\t') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (letter === "'" || letter === '"') {
      const quoted = readQuoted(text, i)
      word = (word ?? '') + quoted.text
      i = quoted.end
    } else if (letter === '\\') {
      if (i + 1 === text.length) throw new CLIError('usage', 'a backslash at the end of a command')
      word = (word ?? '') + text[++i]
    } else if (OPERATORS.has(letter)) {
      const name = letter === '\n' ? 'a line break' : letter
      throw new CLIError('usage', `no shell reads this command, and ${name} is for one`, HINT)
    } else word = (word ?? '') + letter
  }
  if (word !== undefined) words.push(word)
  return words
}

/** From the quote at `start` to the one that ends it. */
function readQuoted(text: string, start: number): { readonly text: string; readonly end: number } {
  const quote = text[start] as string
  let inside = ''
  for (let i = start + 1; i < text.length; i++) {
    const letter = text[i] as string
    if (letter === quote) return { text: inside, end: i }
    // In double quotes a backslash is one, but before these.
    const isEscape = quote === '"' && letter === '\\' && '"\\$`'.includes(text[i + 1] ?? ' ')
    inside += isEscape ? text[++i] : letter
  }
  throw new CLIError('usage', `a quote ${quote} in a command does not end`)
}
