import { describe, expect, it } from 'vitest'
import { wrapFileError } from '../src/errors.ts'
import { isPrimaryError, killAt, PrimaryError } from '../src/index.ts'
import { versionNumber, versionText } from '../src/sqlite/engine-gate.ts'

function fileError(code: string): Error {
  return Object.assign(new Error(`${code}: something`), { code })
}

describe('errors', () => {
  it('carry a code, a cause and a hint, or none', () => {
    const cause = new Error('why')
    const error = new PrimaryError('busy', 'what', { cause, hint: 'wait' })
    expect(error).toMatchObject({ name: 'PrimaryError', code: 'busy', message: 'what', hint: 'wait', cause })
    const bare = new PrimaryError('busy', 'what')
    expect('cause' in bare).toBe(false)
    expect(bare.hint).toBeUndefined()
  })

  it('are recognised by name and code, also those of another copy of the package', () => {
    const foreign = Object.assign(new Error('x'), { name: 'PrimaryError', code: 'fenced' })
    expect(isPrimaryError(foreign)).toBe(true)
    expect(isPrimaryError(foreign, 'fenced')).toBe(true)
    expect(isPrimaryError(foreign, 'busy')).toBe(false)
    for (const other of [new Error('x'), undefined, null, { name: 'PrimaryError' }, 'PrimaryError']) {
      expect(isPrimaryError(other)).toBe(false)
    }
  })

  it.each([
    ['ENOSPC', 'disk-full'],
    ['EDQUOT', 'disk-full'],
    ['EACCES', 'state-folder'],
    ['EPERM', 'state-folder'],
    ['EROFS', 'state-folder'],
  ])('%s of a file of ours is %s, with what was tried and a hint', (code, expected) => {
    const cause = fileError(code)
    expect(wrapFileError(cause, 'writing /x')).toMatchObject({
      name: 'PrimaryError',
      code: expected,
      message: expect.stringContaining('writing /x'),
      hint: expect.any(String),
      cause,
    })
  })

  it('others are left as they are', () => {
    for (const error of [fileError('EIO'), new PrimaryError('fenced', 'x'), undefined, 'text']) {
      expect(wrapFileError(error, 'x')).toBe(error)
    }
  })
})

describe('failpoints', () => {
  it.each(['put:afterwards', '', 'put:after,nothing=2'])('refuses a name that is none: %j', (spec) => {
    expect(() => killAt(spec)).toThrow(RangeError)
  })

  it('lets pass what is not named, and what is not reached yet', () => {
    const hook = killAt('put:after=3,encode:before=9')
    hook('put:before')
    hook('put:after')
    hook('put:after')
  })
})

it('versions of SQLite as numbers and back', () => {
  for (const [text, number] of [
    ['3.53.2', 3053002],
    ['3.7.0', 3007000],
    ['4.0.0', 4000000],
  ] as const) {
    expect(versionNumber(text)).toBe(number)
    expect(versionText(number)).toBe(text)
  }
})
