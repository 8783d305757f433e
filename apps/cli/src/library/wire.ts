/** A value as it crosses between the processes: numbers of 64 bits and instants as text. */
export type Wire<T> = T extends bigint | Date
  ? string
  : T extends readonly (infer Each)[]
    ? readonly Wire<Each>[]
    : T extends object
      ? { readonly [Key in keyof T]: Wire<T[Key]> }
      : T

/** 16 hex digits. */
const HEX: ReadonlySet<string> = new Set(['txid', 'minTXID', 'maxTXID', 'postApplyChecksum'])
const INSTANTS: ReadonlySet<string> = new Set(['time', 'modified', 'timestamp', 'nextAt', 'expires'])

/** Gives 64-bit numbers and instants back their types, by the names of their keys. */
export function fromText<T>(value: Wire<T>): T {
  return revive('', value) as T
}

function revive(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => revive(key, each))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revive(name, each)]))
  }
  if (typeof value !== 'string') return value
  if (HEX.has(key)) return BigInt(`0x${value}`)
  if (key === 'epoch') return BigInt(value)
  return INSTANTS.has(key) ? new Date(value) : value
}
