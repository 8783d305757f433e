import { isKeyPrefix } from '@sqlstream/storage'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { destinationOf, unknownPlaceholders } from '../../src/fleet/destination.ts'

describe('the destination of a database', () => {
  it.each([
    ['{relpath}', 'a/b/c.db', 'a/b/c.db/'],
    ['', 'c.db', 'c.db/'],
    ['tenants', 'a/c.db', 'tenants/a/c.db/'],
    ['{dir}/{stem}', 'a/b/c.db', 'a/b/c/'],
    ['{dir}/{stem}', 'c.db', 'c/'],
    ['all/{name}', 'a/b/c.db', 'all/c.db/'],
    ['x-{stem}/backup', 'a/c.sqlite', 'x-c/backup/'],
    ['{relpath}', 'my café.db', 'my_x20caf_xc3_xa9.db/'],
    ['{relpath}', 'a\\..\\b.db', 'a_x5c.._x5cb.db/'],
  ])('%j of %j is %j', (template, relpath, destination) => {
    expect(destinationOf(template, relpath)).toBe(destination)
  })

  it('is always a folder that a store takes', () => {
    const segment = fc
      .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
      .filter((text) => !text.includes('/'))
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        const destination = destinationOf('{relpath}', segments.join('/'))
        return isKeyPrefix(destination) && destination.endsWith('/')
      }),
    )
  })

  it('cuts a name that is too long, and keeps those apart that begin alike', () => {
    const [one, other] = ['1', '2'].map((end) => destinationOf('x-{name}', `a/${'é'.repeat(100)}${end}`))
    expect(one).toMatch(/^x-(_xc3_xa9)+.*_[0-9a-f]{32}\/$/)
    expect(one).toHaveLength(256)
    expect(other).toHaveLength(256)
    expect(other).not.toBe(one)
    // What fits stays as it is.
    expect(destinationOf('{name}', 'a'.repeat(255))).toBe(`${'a'.repeat(255)}/`)
  })

  it('names the placeholders that there are not', () => {
    expect(unknownPlaceholders('{relpath}/{tenant}/{}')).toEqual(['tenant', ''])
  })
})
