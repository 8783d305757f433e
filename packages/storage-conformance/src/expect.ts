import { isStorageError, type StorageError, type StorageErrorCode } from '@sqlstream/storage'

// The suite runs under any runner and in the command line, so it brings its own few assertions.

export function expectTrue(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (!Object.is(actual, expected))
    throw new Error(`${what}: got ${show(actual)}, expected ${show(expected)}`)
}

export function expectList(actual: readonly string[], expected: readonly string[], what: string): void {
  const at = expected.findIndex((value, i) => actual[i] !== value)
  if (at !== -1) throw new Error(`${what}: at ${at} got ${show(actual[at])}, expected ${show(expected[at])}`)
  if (actual.length > expected.length) {
    throw new Error(
      `${what}: ${actual.length - expected.length} too many, first ${show(actual[expected.length])}`,
    )
  }
}

export function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  expectEqual(actual.length, expected.length, `${what}, length`)
  for (let at = 0; at < expected.length; at++) {
    if (actual[at] !== expected[at]) throw new Error(`${what}: differs at byte ${at}`)
  }
}

/** The reason of a rejection; fails when the promise resolves. */
export async function reasonOf(promise: Promise<unknown>, what: string): Promise<unknown> {
  try {
    await promise
  } catch (reason) {
    return reason
  }
  throw new Error(`${what}: succeeded, expected a rejection`)
}

export async function expectCode(
  promise: Promise<unknown>,
  code: StorageErrorCode,
  what: string,
): Promise<StorageError> {
  const reason = await reasonOf(promise, what)
  if (isStorageError(reason, code)) return reason
  throw new Error(`${what}: rejected with ${show(reason)}, expected a StorageError '${code}'`, {
    cause: reason,
  })
}

/** Settles like the promise; fails when that takes too long. */
export async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error(`${what}: still running after ${milliseconds} ms`)),
    milliseconds,
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function show(value: unknown): string {
  if (value instanceof Error) {
    const code: unknown = Reflect.get(value, 'code')
    return `${value.name}${code === undefined ? '' : ` '${String(code)}'`}: ${value.message}`
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
