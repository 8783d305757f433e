import { expect, test } from 'vitest'
import { displayOf, splitTemplate } from '../src/url-template.ts'

test.each([
  ['/backups', '/backups', '{relpath}'],
  ['s3://bucket?region=eu', 's3://bucket?region=eu', '{relpath}'],
  ['s3://bucket/{relpath}?region=eu', 's3://bucket/?region=eu', '{relpath}'],
  ['s3://bucket/a/b-{dir}/{stem}?region=eu', 's3://bucket/a?region=eu', 'b-{dir}/{stem}'],
  ['/backups/{name}', '/backups', '{name}'],
  ['/{name}', '/', '{name}'],
  ['{dir}/x/{name}', '.', '{dir}/x/{name}'],
  ['file:///{relpath}', 'file:///', '{relpath}'],
  ['sftp://host//{relpath}', 'sftp://host//', '{relpath}'],
  ['/what?/{name}', '/what?', '{name}'],
])('%s is a place and a path below it', (text, base, template) => {
  expect(splitTemplate(text)).toEqual({ base, template })
})

test('a parameter of the URL may have braces', () => {
  const text = 's3://bucket/{name}?endpoint=http://h/{x}'
  expect(splitTemplate(text)).toEqual({ base: 's3://bucket/?endpoint=http://h/{x}', template: '{name}' })
})

test.each(['/b/{}', '/b/}{', '/b/{name', '/b/name}', 's3://{name}', '/b/{name}/../x'])(
  '%s is refused',
  (text) => {
    expect(() => splitTemplate(text)).toThrow(expect.objectContaining({ code: 'usage' }))
  },
)

test('the replica of a database is shown as a URL that restore takes', () => {
  expect(displayOf('s3://bucket/?region=eu', 'a/b.db/')).toBe('s3://bucket/a/b.db?region=eu')
  expect(displayOf('/what?', 'b.db/')).toBe('/what?/b.db')
})
