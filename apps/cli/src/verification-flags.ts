import { checkVerification, type MaintenanceOptions } from '@sqlstream/replica-core'
import { parseByteSize } from './byte-size.ts'
import { CLIError } from './cli-error.ts'
import { parseDuration } from './duration.ts'

/** What `--verify-every` and `--verify-budget` say. @throws CLIError `usage` */
export function verificationOf(
  every: string | undefined,
  budget: string | undefined,
): Pick<MaintenanceOptions, 'verification'> {
  if (every === undefined || budget === undefined) return {}
  const policy = { everyMs: parseDuration(every), bytesPerDay: parseByteSize(budget) }
  try {
    return { verification: checkVerification(policy) }
  } catch (error) {
    const hint = 'for example --verify-every 24h --verify-budget 10GB'
    throw new CLIError('usage', (error as RangeError).message, hint)
  }
}
