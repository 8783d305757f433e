import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const present = new Set<TempFolder>()

process.once('exit', () => {
  for (const folder of present) folder.remove()
})

/**
 * A new, empty folder of its own, removed by `remove()`, at the end of a `using` block or when the
 * process ends, whichever comes first.
 */
export class TempFolder implements Disposable {
  /** Absolute. */
  readonly path: string

  /** @param label appears in the name, for those who look into the temporary folder */
  constructor(label = 'test') {
    this.path = mkdtempSync(join(tmpdir(), `sqlstream-${label}-`))
    present.add(this)
  }

  /** A path in the folder. */
  join(...names: string[]): string {
    return join(this.path, ...names)
  }

  /** Removes the folder with all that is in it. Does nothing the second time. */
  remove(): void {
    if (!present.delete(this)) return
    rmSync(this.path, { recursive: true, force: true })
  }

  [Symbol.dispose](): void {
    this.remove()
  }
}
