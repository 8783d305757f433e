import type { ChangeJSON } from '../control/api-schema.ts'
import { formatCount } from './units.ts'

/** What has become of a database, for people. */
export function changeLines(result: ChangeJSON): string[] {
  const { database, replica, outcome, configuration } = result
  const safe = safeLine(result)
  switch (outcome) {
    case 'registered':
      return [
        `${database}: replicating to ${replica}, until this process ends`,
        ...(configuration === undefined
          ? []
          : [
              'to have it replicated after the next start too, add to the configuration file:',
              configuration,
            ]),
      ]
    case 'already-registered':
      return [`${database}: is replicated to ${replica} already`]
    case 'started':
      return [`${database}: replicating to ${replica}`]
    case 'already-started':
      return [`${database}: is being replicated already`]
    case 'stopped':
      return [`${database}: stopped; ${safe}`, NOT_SAFE]
    case 'already-stopped':
      return [`${database}: was stopped already`, NOT_SAFE]
    case 'unregistered':
      return [`${database}: stopped and forgotten; ${safe}`, NOT_SAFE]
  }
}

const NOT_SAFE = 'what the application commits from now on is not backed up'

function safeLine({ captured, uploaded, pendingFiles }: ChangeJSON): string {
  if (uploaded === undefined) return 'nothing of it is known to be in the replica'
  if (pendingFiles === 0 && uploaded === captured)
    return `everything up to here is in the replica (TXID ${uploaded})`
  return `in the replica up to TXID ${uploaded}; ${formatCount(pendingFiles, 'file')} not uploaded, kept beside the database for the next start`
}
