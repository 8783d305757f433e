import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the part of V8's memory where new objects begin no larger than it is now, once the program is loaded: 8 to 17 MB. The start of a
 * folder of databases would let it grow to 134 MB, which an idle process then keeps (ADR 31). For the whole process, for good.
 */
export function boundYoungGeneration(): void {
  // `--max-semi-space-size` is read only when the process starts, and nobody asks people to give flags to Node.
  setFlagsFromString('--semi-space-growth-factor=1')
}
