import fc from 'fast-check'
import { expect, test } from 'vitest'
import { redactText, redactUrl, StorageError } from '../src/index.ts'

// Long enough not to be part of the rest by chance. No white space: a URL ends there.
const secret = fc.stringMatching(/^[A-Za-z0-9+/=_.@:%-]{12,40}$/)
// What people paste without escaping it.
const password = fc.stringMatching(/^[A-Za-z0-9+/=_.@:%?#&-]{12,40}$/)
const scheme = fc.constantFrom('s3', 'https', 'sftp', 'webdav+https', 'nats')

test('no password, user, unknown query value or fragment of a URL survives', () => {
  fc.assert(
    fc.property(scheme, secret, password, secret, secret, (name, user, pass, value, fragment) => {
      const url = `${name}://${user}:${pass}@host.example/path?credential=${value}#${fragment}`
      for (const shown of [
        redactUrl(url),
        redactText(`open ${url} failed`),
        new StorageError(`open ${url}: refused`, { code: 'unknown', driver: 'x', operation: 'open' }).message,
      ]) {
        for (const part of [user, pass, value, fragment]) expect(shown).not.toContain(part)
      }
    }),
  )
})

test('redacting twice changes nothing more', () => {
  fc.assert(
    fc.property(scheme, password, secret, (name, pass, value) => {
      const once = redactUrl(`${name}://user:${pass}@host/path?region=eu&x=${value}`)
      expect(redactUrl(once)).toBe(once)
    }),
  )
})
