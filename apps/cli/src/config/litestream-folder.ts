import { checkPatterns } from '../folders.ts'
import type { ConfigPath, ConfigProblem, FolderConfig } from './config.ts'
import { problemOf } from './from-file.ts'
import type { LitestreamFile } from './litestream-schema.ts'

/** What `dir`, `pattern`, `recursive` and `watch` mean. */
export interface LitestreamFolder {
  readonly selection: Pick<FolderConfig, 'include' | 'recursive'>
  readonly problems: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
}

const BESIDE = 'local state is kept beside each database'

/** Maps an entry with `dir`. @param path of the entry in the file */
export function litestreamFolder(entry: LitestreamFile['dbs'][number], path: ConfigPath): LitestreamFolder {
  const problems: ConfigProblem[] = []
  const warnings: ConfigProblem[] = []
  for (const key of ['meta-path', 'meta-dir'] as const) {
    if (entry[key] !== undefined)
      warnings.push({ path: [...path, key], message: 'is not heeded', hint: BESIDE })
  }
  if (entry.watch === false) {
    const hint = 'databases that come later are replicated too'
    warnings.push({ path: [...path, 'watch'], message: 'is not heeded', hint })
  }
  const { pattern } = entry
  if (pattern === undefined || pattern === '' || pattern.includes('/')) {
    const at = pattern === undefined ? path : [...path, 'pattern']
    problems.push({ path: at, message: 'needs a pattern of names, such as "*.db"' })
    return { selection: {}, problems, warnings }
  }
  // There only these have a meaning: * ? [ ] and the backslash.
  const include = [pattern.replaceAll(/[{}()!+@|]/g, (mark) => `\\${mark}`)]
  problems.push(...problemOf(() => checkPatterns({ include }), [...path, 'pattern']))
  return { selection: { include, recursive: entry.recursive === true }, problems, warnings }
}
