import { basename } from 'node:path'
import { rolldown } from 'rolldown'
import { ROOT } from './workspace.ts'

/** What to put into one script. */
export interface BundleOptions {
  /** The entry: a file below the repository, or source text, which sees the packages as a user's file does. */
  readonly entry: { readonly file: string } | { readonly text: string }
  /** Default false. */
  readonly minify?: boolean
}

const TEXT = `${ROOT}/test/entry-of-a-user.js`

/**
 * Bundles for browsers, from what was built. Throws on every warning, so that an import of Node's, which a browser cannot have,
 * does not stay in the script unnoticed.
 */
export async function bundle({ entry, minify = false }: BundleOptions): Promise<string> {
  const text = 'text' in entry ? entry.text : undefined
  const build = await rolldown({
    input: 'file' in entry ? `${ROOT}/${entry.file}` : TEXT,
    cwd: ROOT,
    platform: 'browser',
    plugins: [
      {
        name: 'text',
        load: (id) => (text !== undefined && id === TEXT ? text : null),
        resolveId: (id) => (id === TEXT ? id : null),
      },
    ],
    onLog: (level, log) => {
      if (level !== 'debug') throw new Error(`rolldown: ${level}: ${log.message}`)
    },
  })
  try {
    const { output } = await build.generate({ format: 'esm', minify, comments: !minify })
    if (output.length !== 1)
      throw new Error(`not one script: ${output.map((each) => basename(each.fileName)).join(', ')}`)
    return output[0].code
  } finally {
    await build.close()
  }
}
