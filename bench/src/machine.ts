import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'

/** Where figures come from. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly system: string
  readonly fileSystem: string
  readonly node: string
  readonly sqlite: string
  /** Load average over one minute when the run began: above some tenths the machine had other work. */
  readonly loadBefore: number
}

/** Which sources were measured. */
export interface Revision {
  readonly commit: string
  /** Whether sources differed from the commit. */
  readonly modified: boolean
}

export function describeMachine(folder: string, sqlite: string): Machine {
  const [first] = cpus()
  return {
    cpu: (first?.model ?? 'unknown').trim(),
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()} ${arch()}`,
    fileSystem: fileSystemOf(folder),
    node: process.version,
    sqlite,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  }
}

export function describeRevision(root: string): Revision {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  return {
    commit: git('rev-parse', '--short=9', 'HEAD'),
    modified: git('status', '--porcelain', '--', 'packages/*/src', 'apps/*/src') !== '',
  }
}

/** The type of the file system that a folder lies on, from the longest mount point that is above it. */
function fileSystemOf(folder: string): string {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .filter(
        ([, point = '']) => folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`),
      )
      .sort(([, a = ''], [, b = '']) => b.length - a.length)
    return mounts[0]?.[2] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
