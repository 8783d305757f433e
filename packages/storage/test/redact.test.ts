import { expect, test } from 'vitest'
import { redactText, redactUrl } from '../src/index.ts'

test.each([
  ['s3://bucket/app/', 's3://bucket/app/'],
  ['file:///data/me@home/x', 'file:///data/me@home/x'],
  ['https://user:pass@host:8443/p?region=eu', 'https://***@host:8443/p?region=eu'],
  ['https://token@host/', 'https://***@host/'],
  ['s3://AKIA:a/b+c=@bucket/x', 's3://***@bucket/x'],
  ['sftp://me:p@ss@host/x', 'sftp://***@host/x'],
  ['s3://AKIA:sec?ret#1@bucket/x?region=eu', 's3://***'],
  ['https://u:p@host/?mail=a@b', 'https://***'],
  ['https://host/?region=a@b', 'https://host/?region=***@b'],
  ['https://host:8443/p?region=eu#x', 'https://host:8443/p?region=eu#***'],
  ['https://h/c?sv=2024&sig=abc%3D&region=eu', 'https://h/c?sv=***&sig=***&region=eu'],
  ['https://h/?X-Amz-Signature=abc&%72egion=eu', 'https://h/?X-Amz-Signature=***&%72egion=eu'],
  ['s3://b/?endpoint=http%3A%2F%2Fk%3As%40h%2F', 's3://b/?endpoint=http://***@h/'],
  ['https://h/?justasecret', 'https://h/?***'],
  ['https://h/#access_token=abc', 'https://h/#***'],
  ['/data/backup', '/data/backup'],
  ['user:secret@host', '***@host'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown)
})

test('a URL object is shown like its text', () => {
  expect(redactUrl(new URL('https://user:pass@host/p'))).toBe('https://***@host/p')
})

test.each([
  [
    'GET https://u:p@h/a?sig=1 failed, then s3://k:s@b/ too',
    'GET https://***@h/a?sig=*** failed, then s3://***@b/ too',
  ],
  ['Authorization: Bearer eyJhbGciOi.x.y rejected', 'Authorization: Bearer *** rejected'],
  ['secretAccessKey: "abc+/=" is wrong', 'secretAccessKey: "***" is wrong'],
  ['AccountName=me;AccountKey=aGVsbG8=;EndpointSuffix=x', 'AccountName=me;AccountKey=***;EndpointSuffix=x'],
  ['Signature=0a1b2c, SignedHeaders=host', 'Signature=***, SignedHeaders=host'],
  ['the basic rule of tokens is short', 'the basic rule of tokens is short'],
  [
    'key 0000/0000000000000001-0000000000000001.ltx exists',
    'key 0000/0000000000000001-0000000000000001.ltx exists',
  ],
])('text %s is shown as %s', (text, shown) => {
  expect(redactText(text)).toBe(shown)
})

test('long text without a secret is looked through quickly', () => {
  for (const unit of ['a', 'ab:/', 'bearer ', 'secret', 'https://a@b ', '-_']) {
    const text = unit.repeat(200_000 / unit.length)
    const started = process.cpuUsage()
    redactText(text)
    // Of processor time, so that other work does not count. Were it quadratic, it would be minutes.
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(10)
  }
})
