import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** A package of the workspace. */
export interface WorkspacePackage {
  /** Relative to the repository, for example `packages/storage`. */
  readonly folder: string
  readonly path: string
  readonly manifest: Manifest
}

/** Every package below packages/ and apps/. */
export function workspacePackages(): WorkspacePackage[] {
  return ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .filter((name) => existsSync(join(ROOT, parent, name, 'package.json')))
      .map((name) => {
        const folder = `${parent}/${name}`
        const path = join(ROOT, folder)
        return {
          folder,
          path,
          manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest,
        }
      }),
  )
}

/** Files that git tracks or would track, relative to the repository; those that match the pattern. */
export function trackedFiles(pattern: RegExp): string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return list.split('\n').filter((file) => file !== '' && pattern.test(file) && existsSync(join(ROOT, file)))
}

/** The text of a file of the repository. */
export function readText(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

/** Path of a program that a devDependency of the root brings. */
export function tool(name: string): string {
  return join(ROOT, 'node_modules/.bin', name)
}
