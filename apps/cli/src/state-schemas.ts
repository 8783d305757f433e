import { diff } from './diff-schema.ts'
import { followEvent, promote } from './follow-schema.ts'
import { fork, rollback } from './fork-schema.ts'

/** The output of the commands that are about whole states of a database. */
export const STATE_SCHEMAS = { 'follow-event': followEvent, promote, fork, rollback, diff } as const
