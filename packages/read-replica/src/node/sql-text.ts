/** What the text of a statement tells without SQLite. */
export interface SqlText {
  /** The first word, in capitals. */
  readonly verb: string
  /** The names of the parameters by their indexes, from 0, with their first character; undefined for those without a name. */
  readonly parameters: readonly (string | undefined)[]
}

/** What parameters cannot be in, and parameters: comments, strings, names in quotes, words and numbers, then the four kinds. */
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\?\d*|[:@#][\w$\u0080-\uffff]+|\$[\w$\u0080-\uffff]+(?:::[\w$\u0080-\uffff]+)*(?:\([^)\s]*\))?|[\w\u0080-\uffff][\w$\u0080-\uffff]*/g

/** Reads the text of a statement as SQLite does, as far as its parameters go. */
export function readSql(sql: string): SqlText {
  let verb = ''
  const parameters: (string | undefined)[] = []
  for (const [token] of sql.matchAll(TOKEN)) {
    const first = token[0] as string
    if (first === '?' || first === ':' || first === '@' || first === '$') number(parameters, token)
    else if (verb === '' && /^[A-Za-z]/.test(first)) verb = token.toUpperCase()
  }
  return { verb, parameters }
}

function number(parameters: (string | undefined)[], token: string): void {
  if (token === '?') {
    parameters.push(undefined)
    return
  }
  if (token.startsWith('?')) {
    const index = Number(token.slice(1)) - 1
    // SQLite refuses more than 32766.
    if (index > 32_766) return
    while (parameters.length <= index) parameters.push(undefined)
    parameters[index] ??= token
    return
  }
  if (!parameters.includes(token)) parameters.push(token)
}
