import { describe, expect, it } from 'vitest'
import { pathMatcher } from '../../src/fleet/match-path.ts'

describe('which paths are looked at', () => {
  it.each([
    'app.db-wal',
    'a/app.db-shm',
    'app.db-journal',
    '.app.db.sqlstream-restore',
    'a/.app.db.sqlstream-restore.json',
    'app.db.sqlstream-old-1-wal',
  ])('F10: %s is never a database, whatever the patterns say', (path) => {
    for (const hidden of [false, true]) {
      expect(pathMatcher({ hidden, include: ['**', '*', path] }).file(path)).toBe(false)
    }
  })

  it.each(['.app.db-sqlstream', 'a/.app.db-litestream', '.sqlstream-log', 'a/.sqlstream-log-2'])(
    'F10: the state folder %s is never entered',
    (path) => {
      expect(pathMatcher({ hidden: true, include: ['**'] }).folder(path)).toBe(false)
    },
  )

  it('F10: folders with a dot are entered only on demand, files with a dot count', () => {
    expect(pathMatcher().folder('a/.cache')).toBe(false)
    expect(pathMatcher({ hidden: true }).folder('a/.cache')).toBe(true)
    expect(pathMatcher().file('a/.app.db')).toBe(true)
    expect(pathMatcher({ include: ['*.db'] }).file('a/.app.db')).toBe(true)
  })

  it.each([
    [{}, 'any/file', true],
    [{ include: ['*.db'] }, 'deep/in/app.db', true],
    [{ include: ['*.db'] }, 'app.sqlite', false],
    [{ include: ['*.{db,sqlite}'] }, 'app.sqlite', true],
    [{ include: ['/*.db'] }, 'app.db', true],
    [{ include: ['/*.db'] }, 'a/app.db', false],
    [{ include: ['tenants/*/app.db'] }, 'tenants/1/app.db', true],
    [{ include: ['tenants/*/app.db'] }, 'tenants/1/2/app.db', false],
    [{ include: ['tenants/**/*.db'] }, 'tenants/app.db', true],
    [{ include: ['tenants/**/*.db'] }, 'tenants/1/2/app.db', true],
    [{ include: ['*.db'], exclude: ['test-*'] }, 'a/test-1.db', false],
    [{ exclude: ['a/*.db'] }, 'b/a/x.db', true],
    [{ include: [] }, 'app.db', false],
    [{ include: ['a\nb.db'] }, 'a\nb.db', true],
  ])('%j and %s: %s', (patterns, path, expected) => {
    expect(pathMatcher(patterns).file(path)).toBe(expected)
  })

  it('leaves out an excluded folder with all that is in it', () => {
    const matcher = pathMatcher({ exclude: ['cache', 'a/tmp/**'] })
    expect(['cache', 'x/cache', 'a/tmp', 'b/tmp', 'a', ''].map((path) => matcher.folder(path))).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
    ])
  })

  it.each(['', '/', '!a', '../a', 'a/../b'])('refuses the pattern %j', (pattern) => {
    expect(() => pathMatcher({ include: [pattern] })).toThrow(TypeError)
    expect(() => pathMatcher({ exclude: [pattern] })).toThrow(TypeError)
  })
})

describe('parts of a folder', () => {
  const paths = Array.from({ length: 10_000 }, (_, i) => `tenants/${i % 97}/${i}.db`)

  it.each([1, 2, 3, 7])('F13: of %i, each path is in exactly one, and all are about as large', (of) => {
    const parts = Array.from({ length: of }, (_, index) => pathMatcher({ partition: { index, of } }))
    const sizes = parts.map((part) => paths.filter((path) => part.file(path)).length)
    for (const path of paths) expect(parts.filter((part) => part.file(path)).length).toBe(1)
    for (const size of sizes)
      expect(Math.abs(size - paths.length / of)).toBeLessThan((paths.length / of) * 0.1)
  })

  it('F13: stay what they are, and leave patterns and companions as they are', () => {
    // Another version of the process may hold the other part: these are for ever.
    const second = pathMatcher({ partition: { index: 1, of: 2 }, include: ['*.db'] })
    const found = ['a.db', 'b.db', 'c.db', 'tenants/1/app.db', 'ä.db'].filter((path) => second.file(path))
    expect(found).toEqual(['a.db', 'b.db', 'tenants/1/app.db'])
    const all = pathMatcher({ partition: { index: 0, of: 1 } })
    expect(all.file('a.db-wal')).toBe(false)
    expect(all.folder('a')).toBe(true)
  })

  it.each([
    [-1, 2],
    [2, 2],
    [0, 0],
    [0.5, 2],
    [0, 1.5],
  ])('F13: %d of %d is no part', (index, of) => {
    expect(() => pathMatcher({ partition: { index, of } })).toThrow(RangeError)
  })
})
