import { resolve } from 'node:path'
import { pathMatcher } from '@sqlstream/replica-core'
import { CLIError } from './cli-error.ts'
import type { Config } from './config/config.ts'
import type { Drivers } from './drivers.ts'
import type { FolderSelection, WatchedFolder } from './folder-replication.ts'
import { type PairOptions, withOptions } from './pairs.ts'
import { splitTemplate } from './url-template.ts'

/** What flags say for every folder. */
type FolderOptions = Omit<PairOptions, 'stateDir'>

/** The folder of `replicate --watch`. @throws CLIError `usage`, and those of `Drivers.locate` */
export async function folderFromWords(
  folder: string,
  words: readonly string[],
  drivers: Drivers,
  options: FolderOptions & FolderSelection,
): Promise<WatchedFolder> {
  const [url, ...more] = words
  if (url === undefined || more.length > 0) {
    throw new CLIError(
      'usage',
      url === undefined ? 'the folder needs a URL' : 'there is one URL for all databases of a folder',
      'sqlstream replicate --watch <dir> <url>, for example s3://bucket/{relpath}',
    )
  }
  checkPatterns(options)
  return located({ ...options, folder: resolve(folder), url }, drivers)
}

/** The folders of a configuration. @throws CLIError `usage`, and those of `Drivers.locate` */
export async function foldersFromConfig(
  config: Config,
  drivers: Drivers,
  options: FolderOptions,
): Promise<WatchedFolder[]> {
  const folders: WatchedFolder[] = []
  for (const { path, ...entry } of config.folders) {
    folders.push(await located({ ...withOptions(entry, options), folder: path }, drivers))
  }
  const owners = new Map<string, string>()
  for (const { folder, location, template } of folders) {
    const place = JSON.stringify([location.url.href, template])
    if ((owners.get(place) ?? folder) !== folder) {
      throw new CLIError(
        'usage',
        'two folders cannot share one place for their replicas',
        'give each its own URL',
      )
    }
    owners.set(place, folder)
  }
  return folders
}

/** @throws CLIError `usage` for a pattern that makes no sense */
export function checkPatterns({ include, exclude }: FolderSelection): void {
  try {
    pathMatcher({ include, exclude })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new CLIError('usage', error.message)
  }
}

async function located(
  { url, ...entry }: Omit<WatchedFolder, 'location' | 'template'> & { readonly url: string },
  drivers: Drivers,
): Promise<WatchedFolder> {
  const { base, template } = splitTemplate(url)
  return { ...entry, location: await drivers.locate(base), template }
}
