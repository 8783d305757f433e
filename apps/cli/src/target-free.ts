import { access } from 'node:fs/promises'
import { CLIError } from './cli-error.ts'

/** A target that exists is only touched when that was asked for. @throws CLIError `target-exists` */
export async function mustBeFree(
  path: string,
  { force, delta }: { readonly force: boolean; readonly delta: boolean },
): Promise<void> {
  if (force || delta || !(await exists(path))) return
  throw new CLIError('target-exists', `${path} exists`, 'choose another path, or replace it with --force')
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
