import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { BlobInfo } from '@sqlstream/storage'
import { afterAll } from 'vitest'

/** A folder for the tests of one file; gone afterwards. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sqlstream-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** All files below a folder, hidden ones too. */
export function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

export async function keysOf(listing: AsyncIterable<BlobInfo>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listing) keys.push(key)
  return keys
}
