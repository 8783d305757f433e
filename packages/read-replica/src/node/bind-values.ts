import { UsageError } from '../engine/failures.ts'
import type { SqlParams } from '../engine/messages.ts'

/** Values as better-sqlite3 takes them: those of parameters without a name, and those of the others by their names. */
export type BoundValues = readonly [unnamed: unknown[], named: Record<string, unknown>]

/** Finds the value of each parameter as `Connection` does. Throws UsageError. */
export function bindValues(parameters: readonly (string | undefined)[], params: SqlParams): BoundValues {
  const unnamed: unknown[] = []
  const named: Record<string, unknown> = Object.create(null)
  const add = (name: string | undefined, value: unknown): void => {
    const bound = boundValue(value)
    if (name === undefined) unnamed.push(bound)
    else if (Object.hasOwn(named, name.slice(1))) {
      throw new UsageError(
        `two parameters have the name ${name.slice(1)}: a local copy cannot tell them apart`,
      )
    } else named[name.slice(1)] = bound
  }
  if (Array.isArray(params)) {
    if (params.length !== parameters.length) {
      throw new UsageError(`${params.length} values for ${parameters.length} parameters`)
    }
    for (const [i, name] of parameters.entries()) add(name, params[i])
    return [unnamed, named]
  }
  const given = new Map(Object.entries(params))
  for (const [i, name] of parameters.entries()) {
    if (!name) throw new UsageError(`parameter ${i + 1} has no name`)
    const key = given.has(name) ? name : name.slice(1)
    if (!given.has(key)) throw new UsageError(`there is no value for parameter ${name}`)
    add(name, given.get(key))
  }
  return [unnamed, named]
}

function boundValue(value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value) throw new UsageError(`${value} does not fit 64 bits`)
    return value
  }
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  throw new UsageError(`a value of type ${typeof value} cannot be bound`)
}
