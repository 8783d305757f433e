import { conformanceTests } from './conformance-tests.ts'
import { type Harness, skipReason } from './harness.ts'

/** The two functions of a test runner: of vitest, node:test, mocha, jest. */
export interface Runner {
  describe(name: string, body: () => void): void
  /** What the runner passes to the body is looked at for a `skip` method only. */
  it(name: string, body: (...context: unknown[]) => Promise<void>): void
}

/**
 * Registers the tests. A test that the store's capabilities rule out is reported as skipped, with the
 * reason; where the runner gives no way to say that (jest), its name in the output is all there is.
 */
export function describeConformance(runner: Runner, name: string, harness: Harness): void {
  runner.describe(`${name} keeps the BlobStore contract`, () => {
    for (const test of conformanceTests) {
      // Rest parameters: mocha and jest wait for a callback when a body declares one parameter.
      runner.it(test.name, async (...context) => {
        const reason = await skipReason(test, harness)
        if (reason === undefined) await test.run(harness)
        else skip(context[0], reason)
      })
    }
  })
}

function skip(context: unknown, reason: string): void {
  // vitest passes a function with properties, node:test an object.
  const method: unknown =
    context === undefined || context === null ? undefined : Reflect.get(Object(context), 'skip')
  if (typeof method === 'function') method.call(context, reason)
}
