import { closest } from '@sqlstream/storage'
import { type Document, isMap, isNode, isScalar, LineCounter, type Pair, parseDocument } from 'yaml'
import type { z } from 'zod'
import { type Config, type ConfigPath, type ConfigProblem, formatPath } from './config.ts'
import { expandText, expandValues, type Variables } from './expand.ts'
import { configFile } from './file-schema.ts'
import { fromFile } from './from-file.ts'
import { fromLitestream } from './from-litestream.ts'
import { litestreamFile } from './litestream-schema.ts'

/** What surrounds a file. */
export interface ConfigSurroundings {
  readonly variables: Variables
  /** Absolute folder of the file. */
  readonly folder: string
  /** Absolute folder that the process works in. */
  readonly cwd: string
  readonly home: string
}

/** Something about a file, with its place there. */
export interface ConfigNote {
  /** From 1; undefined when it is about the whole file. */
  readonly line?: number
  /** `databases[0].lease.ttl`; empty for the whole file. */
  readonly key: string
  readonly message: string
  readonly hint?: string
}

/** A file of either format, understood. `config` is absent when there are problems. */
export interface ParsedConfig {
  readonly format: 'sqlstream' | 'litestream'
  readonly config?: Config
  readonly problems: readonly ConfigNote[]
  readonly warnings: readonly ConfigNote[]
}

/** Understands the text of a configuration file: YAML or JSON, ours or Litestream's. Reads and writes nothing. */
export function parseConfig(text: string, surroundings: ConfigSurroundings): ParsedConfig {
  // By the name of its list of databases; which format it is must not depend on variables.
  const isLitestream =
    /^["']?dbs["']?\s*:/m.test(text) && !/^\s*["']?(?:databases|folders)["']?\s*:/m.test(text)
  return isLitestream ? parseLitestream(text, surroundings) : parseOwn(text, surroundings)
}

function parseOwn(text: string, { variables, folder }: ConfigSurroundings): ParsedConfig {
  const source = new Source(text)
  if (source.broken !== undefined) return { format: 'sqlstream', problems: [source.broken], warnings: [] }
  const unset = expandValues(source.document.contents, variables)
  if (unset.length > 0) {
    const problems = unset.map(({ name, node }) => ({
      line: source.lineAt(node.range?.[0]),
      key: '',
      message: `the variable ${name} is not set`,
      hint: 'set it, or write $$ for a dollar sign',
    }))
    return { format: 'sqlstream', problems, warnings: [] }
  }
  const result = configFile.safeParse(source.document.toJS() ?? {})
  if (!result.success)
    return { format: 'sqlstream', problems: source.issues(result.error, configFile), warnings: [] }
  const { config, problems } = fromFile(result.data, folder)
  const notes = problems.map((problem) => source.note(problem))
  return { format: 'sqlstream', ...(notes.length === 0 ? { config } : {}), problems: notes, warnings: [] }
}

function parseLitestream(text: string, { variables, cwd, home }: ConfigSurroundings): ParsedConfig {
  const format = 'litestream'
  const expanded = expandText(text, variables)
  const source = new Source(expanded.text)
  if (source.broken !== undefined) return { format, problems: [source.broken], warnings: [] }
  const result = litestreamFile.safeParse(withoutNulls(source.document.toJS() ?? {}))
  if (!result.success) return { format, problems: source.issues(result.error, litestreamFile), warnings: [] }
  const mapped = fromLitestream(result.data, { folder: cwd, home })
  const problems = mapped.problems.map((problem) => source.note(problem))
  const unset = [...new Set(expanded.unset)].map((name) => ({
    key: '',
    message: `the variable ${name} is not set`,
  }))
  return {
    format,
    ...(problems.length === 0 ? { config: mapped.config } : {}),
    problems,
    warnings: [...unset, ...inOrder(mapped.warnings.map((warning) => source.note(warning)))],
  }
}

/** As they stand in the file. */
function inOrder(notes: readonly ConfigNote[]): ConfigNote[] {
  return notes.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
}

/** For Litestream a key without a value is no key; after an unset variable there often is one. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, each]) => each !== null)
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutNulls(each)]))
}

/** A document that knows its lines. */
class Source {
  readonly document: Document
  /** It is no YAML. */
  readonly broken: ConfigNote | undefined
  readonly #lines = new LineCounter()

  constructor(text: string) {
    this.document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    const [error] = this.document.errors
    if (error !== undefined) {
      const message = `not YAML: ${error.message.replaceAll(/\s+/g, ' ')}`
      this.broken = { line: this.lineAt(error.pos[0]), key: '', message }
    }
  }

  lineAt(offset: number | undefined): number {
    return offset === undefined ? 1 : this.#lines.linePos(offset).line
  }

  note({ path, ...rest }: ConfigProblem): ConfigNote {
    return { line: this.#lineOf(path), key: formatPath(path), ...rest }
  }

  /** What zod found, as notes. Values are not shown: one may be a secret. */
  issues(error: z.ZodError, schema: z.ZodType): ConfigNote[] {
    return error.issues.flatMap(insideOf).flatMap((issue): ConfigNote[] => {
      const path = issue.path.filter((step) => typeof step !== 'symbol')
      if (issue.code !== 'unrecognized_keys')
        return [this.note({ path, message: this.#messageOf(issue, path) })]
      const known = keysAt(schema, path)
      return issue.keys.map((key) => {
        const near = nearest(key, known)
        const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`
        return this.note({ path: [...path, key], message: 'is no key that is known here', hint })
      })
    })
  }

  #messageOf(issue: z.core.$ZodIssue, path: ConfigPath): string {
    const isMissing = path.length > 0 && !this.document.hasIn(path)
    return isMissing ? issue.message.replace(/^expected/, 'is missing: expected') : issue.message
  }

  /** The line of the key that a path leads to, or of the nearest thing above it that exists. */
  #lineOf(path: ConfigPath): number {
    for (let length = path.length; length > 0; length--) {
      const parent =
        length === 1 ? this.document.contents : this.document.getIn(path.slice(0, length - 1), true)
      const step = path[length - 1]
      const pair = isMap(parent) ? (parent.items as Pair[]).find(({ key }) => isKey(key, step)) : undefined
      const node = pair?.key ?? this.document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return this.lineAt(node.range[0])
    }
    return 1
  }
}

/**
 * What is wrong inside of one alternative of several, where that is the one which was meant: a mapping with a wrong key is not taken for
 * a mistyped word.
 */
function insideOf(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const inner = issue.errors
    .flat()
    .filter(({ code, path }) => path.length > 0 || code === 'unrecognized_keys')
    .map((each) => ({ ...each, path: [...issue.path, ...each.path] }))
  return inner.length === 0 ? [issue] : inner.flatMap(insideOf)
}

function isKey(key: unknown, step: unknown): boolean {
  return isScalar(key) && String(key.value) === String(step)
}

/** `sync-interval` and `SyncInterval` mean `syncInterval`, however many letters differ. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '')
  return known.find((name) => plain(name) === plain(key)) ?? closest(key, known)
}

/** The keys that a schema knows at a path. */
function keysAt(schema: z.ZodType, path: ConfigPath): string[] {
  let at: unknown = schema
  for (const step of path) {
    at = unwrapped(at)
    at =
      typeof step === 'number'
        ? Reflect.get(Object(at), 'element')
        : Object(Reflect.get(Object(at), 'shape'))[step]
  }
  return Object.keys(Object(Reflect.get(Object(unwrapped(at)), 'shape')))
}

function unwrapped(schema: unknown): unknown {
  const alternatives: unknown = Reflect.get(Object(schema), 'options')
  if (Array.isArray(alternatives)) {
    // Of a word or a mapping, a word or a list, the one that has something inside.
    const inner = alternatives.find((each) =>
      ['shape', 'element'].some((key) => Reflect.has(Object(each), key)),
    )
    return inner ?? schema
  }
  const unwrap: unknown = Reflect.get(Object(schema), 'unwrap')
  return typeof unwrap === 'function' && Reflect.get(Object(schema), 'element') === undefined
    ? unwrapped(unwrap.call(schema))
    : schema
}
