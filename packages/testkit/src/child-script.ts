import { fileURLToPath } from 'node:url'

/**
 * Arguments for `process.execPath` to run a script of this package, given its source: that file when this is the source
 * too (Node takes the types away itself), the compiled one when this is compiled.
 */
export function scriptArguments(source: URL): string[] {
  const file = fileURLToPath(source)
  if (import.meta.url.endsWith('.ts')) return ['--conditions=@sqlstream/source', file]
  return [file.replace(/\.ts$/, '.js')]
}
