import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Installs a server into node_modules/.cache, unless it is there. Several processes may do this at once: each makes a folder of its
 * own, and the first that is ready stays.
 * @param name with the version: another version is another folder
 * @param install fills an empty folder, which is moved afterwards
 * @returns the folder
 */
export async function installOnce(
  name: string,
  install: (folder: string) => Promise<unknown>,
): Promise<string> {
  const cache = fileURLToPath(new URL('../../../../node_modules/.cache/', import.meta.url))
  const place = join(cache, name)
  if (existsSync(place)) return place
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, `${name}-`))
  try {
    await install(folder)
    if (!existsSync(place)) renameSync(folder, place)
  } catch (error) {
    if (!existsSync(place)) throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return place
}
