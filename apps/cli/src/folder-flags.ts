import { Flags } from '@oclif/core'
import { parseDuration } from './duration.ts'
import type { FolderSelection } from './folder-replication.ts'

/** Flags of `replicate` about a folder of databases. */
export const folderFlags = {
  watch: Flags.string({
    description:
      'replicate every database of this folder; the URL may have {relpath}, {dir}, {name} and {stem}, and gets /{relpath} without any',
  }),
  include: Flags.string({
    multiple: true,
    dependsOn: ['watch'],
    description: 'pattern of names, or of paths below the folder; default: every database',
  }),
  exclude: Flags.string({
    multiple: true,
    dependsOn: ['watch'],
    description: 'pattern of what is left out, folders too',
  }),
  'no-recursive': Flags.boolean({
    dependsOn: ['watch'],
    description: 'only what is in the folder itself',
  }),
  'max-open': Flags.integer({
    min: 1,
    dependsOn: ['watch'],
    description: 'databases that may be open at once, default 1000',
  }),
  'rest-after': Flags.string({
    dependsOn: ['watch'],
    description: 'a database that sees no commit for so long is let go until the next one, default 1m',
  }),
}

/** What was said with {@link folderFlags}. @throws CLIError `usage` */
export function selectionOf(flags: {
  readonly include: readonly string[] | undefined
  readonly exclude: readonly string[] | undefined
  readonly 'no-recursive': boolean | undefined
  readonly 'max-open': number | undefined
  readonly 'rest-after': string | undefined
}): FolderSelection {
  const { include, exclude } = flags
  return {
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
    ...(flags['no-recursive'] ? { recursive: false } : {}),
    ...(flags['max-open'] === undefined ? {} : { maxOpen: flags['max-open'] }),
    ...(flags['rest-after'] === undefined ? {} : { restAfterMs: parseDuration(flags['rest-after']) }),
  }
}
