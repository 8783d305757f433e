import { isMap, isPair, isScalar, isSeq, type Node, type Pair, Scalar } from 'yaml'

/** Variables by name: `process.env` fits. */
export type Variables = Readonly<Record<string, string | undefined>>

/** A variable that a value names and nobody has set. */
export interface Unset {
  readonly name: string
  readonly node: Node
}

const VARIABLE = /\$\$|\$\{([^}]*)\}/g

/**
 * Puts variables into the values of a document, in place: `${NAME}`; `$$` is a dollar sign. What stood there without quotes may
 * become a number or a truth value, as if it had been written there. Keys stay as they are.
 */
export function expandValues(root: unknown, variables: Variables): Unset[] {
  const unset: Unset[] = []
  function visit(node: unknown): void {
    if (isMap(node)) for (const pair of node.items as Pair[]) visit(pair.value)
    else if (isSeq(node)) for (const item of node.items) visit(isPair(item) ? item.value : item)
    else if (isScalar(node) && typeof node.value === 'string' && node.value.includes('$')) {
      const text = node.value.replace(VARIABLE, (mark, name: string | undefined) => {
        if (name === undefined) return '$'
        const value = variables[name]
        if (value === undefined) unset.push({ name, node })
        return value ?? mark
      })
      node.value = node.type === Scalar.PLAIN ? fromPlain(text) : text
    }
  }
  visit(root)
  return unset
}

function fromPlain(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text
}

/**
 * A whole text with variables put in as Litestream does it: `$NAME`, `${NAME}` and `$PID`; what is not set becomes nothing.
 * `unset` has the names of those.
 */
export function expandText(
  text: string,
  variables: Variables,
): { readonly text: string; readonly unset: readonly string[] } {
  const unset: string[] = []
  const expanded = text.replace(
    /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g,
    (_, braced?: string, bare?: string) => {
      const name = braced ?? bare ?? ''
      const value = variables[name]
      if (value === undefined) unset.push(name)
      return value ?? ''
    },
  )
  return { text: expanded, unset }
}
