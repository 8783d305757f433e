import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TempFolder } from '@sqlstream/testkit'

/** Writes a file in a folder, below folders that are made for it. Returns its path. */
export function writeFile(folder: TempFolder, name: string, text: string): string {
  const path = folder.join(name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}
