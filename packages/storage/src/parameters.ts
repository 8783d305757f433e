import { closest } from './closest.ts'
import { StorageError } from './errors.ts'
import { redactUrl } from './redact.ts'

/**
 * The query parameters of a URL for a driver.
 * @throws StorageError 'invalid-config' for a parameter that is not `known`, with the nearest one, and for one given twice
 */
export function urlParameters(
  url: URL,
  known: readonly string[],
  driver: string,
): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of url.searchParams) {
    const refuse = (problem: string, hint?: string): StorageError =>
      new StorageError(`${redactUrl(url)} has ${problem}`, {
        code: 'invalid-config',
        driver,
        operation: 'open',
        hint,
      })
    // A name may be a secret whose own name was forgotten: shown only where it looks like a name.
    const shown = /^[a-z0-9-]{1,32}$/i.test(name) ? JSON.stringify(name) : 'parameter'
    if (!known.includes(name)) {
      const near = closest(name, known)
      const hint = near === undefined ? `Known: ${known.join(', ')}.` : `Did you mean ${near}?`
      throw refuse(`an unknown parameter${shown === 'parameter' ? '' : ` ${shown}`}`, hint)
    }
    if (parameters.has(name)) throw refuse(`${shown} twice`)
    parameters.set(name, value)
  }
  return parameters
}
