import { existsSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { TempFolder } from '../src/index.ts'

it('removes the folder with its files at the end of the block', () => {
  let path: string
  {
    using folder = new TempFolder('gone')
    path = folder.path
    writeFileSync(folder.join('file'), 'x')
    expect(existsSync(folder.join('file'))).toBe(true)
  }
  expect(existsSync(path)).toBe(false)
})

it('gives each its own folder', () => {
  using a = new TempFolder()
  using b = new TempFolder()
  expect(a.path).not.toBe(b.path)
})
