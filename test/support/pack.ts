import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, type WorkspacePackage, workspacePackages } from './workspace.ts'

/** The packages that are published, each packed as it would be, in a temporary folder. */
export class PackedPackages implements Disposable {
  readonly packages: readonly WorkspacePackage[] = workspacePackages().filter(
    (each) => each.manifest.private !== true,
  )
  /** Holds the packed files; anything else may be put there too. */
  readonly folder: string = mkdtempSync(join(tmpdir(), 'sqlstream-pack-'))

  constructor() {
    const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      packageManager: string
    }
    for (const { path } of this.packages) {
      execFileSync('npx', ['-y', packageManager, 'pack', '--pack-destination', this.folder], {
        cwd: path,
        stdio: 'pipe',
      })
    }
  }

  /** Path of the packed file of a package. */
  tarball(name: string): string {
    const prefix = `${name.replace('@', '').replace('/', '-')}-`
    const file = readdirSync(this.folder).find(
      (each) => each.startsWith(prefix) && /^\d/.test(each.slice(prefix.length)),
    )
    if (file === undefined) throw new Error(`${name} was not packed`)
    return join(this.folder, file)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
