/**
 * Named places where a crash test may end the process. Each lies between two steps whose order the
 * durability argument depends on (SPEC.md).
 */
export const FAILPOINTS = [
  'frames:before-read',
  'frames:after-read',
  'encode:before',
  'encode:after',
  'spool:before-sync',
  'spool:before-rename',
  'spool:after-rename',
  'journal:before-append',
  'journal:torn-append',
  'journal:after-append',
  'log:before-append',
  'log:torn-append',
  'log:after-append',
  'log:after-sync',
  'log:flushed',
  'ledger:before-write',
  'ledger:before-rename',
  'ledger:after-rename',
  'ledger:after-truncate',
  'owed:before-rename',
  'owed:after-rename',
  'given-up:removed',
  'put:before',
  'put:after',
  'put:after-ack',
  'snapshot:before',
  'snapshot:middle',
  'snapshot:after',
  'merge:before',
  'merge:after',
  'retain:before',
  'retain:removed',
  'retain:after',
  'checkpoint:before',
  'checkpoint:after',
  'barrier:held',
  'holder:between',
  'rest:before-rename',
  'rest:after-rename',
  'rest:before-remove',
  'rest:after-remove',
] as const

/** A name from {@link FAILPOINTS}. */
export type Failpoint = (typeof FAILPOINTS)[number]

/** Called when execution passes a failpoint. Used by tests; a real run passes nothing. */
export type FailpointHook = (name: Failpoint) => void

/**
 * The hook described by text such as `put:after=3`: SIGKILL of this process when that failpoint is
 * passed for the third time. Several are joined by commas.
 *
 * @throws RangeError for a name that is not a failpoint
 */
export function killAt(spec: string): FailpointHook {
  const left = new Map<string, number>()
  for (const part of spec.split(',')) {
    const [name = '', count = '1'] = part.split('=')
    if (!(FAILPOINTS as readonly string[]).includes(name))
      throw new RangeError(`no failpoint is called ${name}`)
    left.set(name, Number(count))
  }
  return (name) => {
    const n = left.get(name)
    if (n === undefined) return
    if (n <= 1) process.kill(process.pid, 'SIGKILL')
    left.set(name, n - 1)
  }
}
