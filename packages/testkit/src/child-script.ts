import { fileURLToPath } from 'node:url'

/**
 * Arguments for `process.execPath` to run a script of this package: the source when this is the source
 * (Node takes the types away itself), the compiled file when this is compiled.
 */
export function scriptArguments(name: string): string[] {
  const source = import.meta.url.endsWith('.ts')
  const file = fileURLToPath(new URL(`./${name}.${source ? 'ts' : 'js'}`, import.meta.url))
  return source ? ['--conditions=@sqlstream/source', file] : [file]
}
