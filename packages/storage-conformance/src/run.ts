import type { AbortOptions } from '@sqlstream/storage'
import { conformanceTests } from './conformance-tests.ts'
import { type Harness, skipReason } from './harness.ts'

/** How one test ended. */
export interface ConformanceResult {
  readonly test: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly milliseconds: number
  /** Why it was skipped. */
  readonly reason?: string
  /** Why it failed. */
  readonly error?: Error
}

export interface RunOptions extends AbortOptions {
  /** Only tests whose name matches. Default: all. */
  readonly only?: RegExp | undefined
}

/** Runs the tests one after another without a test runner. An abort ends it with the signal's reason. */
export async function* runConformance(
  harness: Harness,
  options: RunOptions = {},
): AsyncGenerator<ConformanceResult, void> {
  const { only, signal } = options
  for (const test of conformanceTests) {
    if (only !== undefined && test.name.search(only) === -1) continue
    signal?.throwIfAborted()
    const started = performance.now()
    const result = await runOne(
      () => skipReason(test, harness),
      () => test.run(harness, { signal }),
    )
    signal?.throwIfAborted()
    yield { test: test.name, ...result, milliseconds: performance.now() - started }
  }
}

async function runOne(
  findReason: () => Promise<string | undefined>,
  run: () => Promise<void>,
): Promise<Pick<ConformanceResult, 'outcome' | 'reason' | 'error'>> {
  try {
    const reason = await findReason()
    if (reason !== undefined) return { outcome: 'skipped', reason }
    await run()
    return { outcome: 'passed' }
  } catch (error) {
    return { outcome: 'failed', error: error instanceof Error ? error : new Error(String(error)) }
  }
}
