import { readText } from './workspace.ts'

/** One row of the table "Layers" in docs/layers.md. */
export interface Layer {
  readonly name: string
  /** Packages of the workspace that its sources may import. */
  readonly internal: readonly string[]
  /** Packages from outside that its sources may import. */
  readonly external: readonly string[]
  /** `anywhere` (no Node built-ins), `Node`, or `anywhere, /node in Node`. */
  readonly runsIn: string
}

/** Reads the table; the document is the truth, the test holds the code to it. */
export function readLayers(): Layer[] {
  const rows = readText('docs/layers.md')
    .split('\n')
    .filter((line) => /^\|\s*\d/.test(line))
  return rows.map((row) => {
    const [, , name = '', imports = '', runsIn = ''] = row.split('|').map((cell) => cell.trim())
    const words = [...imports.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
    return {
      name: name.replaceAll('`', ''),
      internal: words.filter((word) => word.startsWith('@sqlstream/')),
      external: words.filter((word) => !word.startsWith('@sqlstream/')),
      runsIn,
    }
  })
}
