import { Flags } from '@oclif/core'
import { type BudgetOptions, Budgets, type RequestEstimate } from '@sqlstream/replica-core'
import { parseByteSize } from './byte-size.ts'
import { formatCount } from './output/units.ts'
import type { EventJSON } from './schema.ts'

/** What all databases of a process may take together. Absent: the defaults. */
export interface Limits {
  /** Captures that wait for their upload, on disk. */
  readonly spoolBytes?: number | undefined
  /** Left free for the application. */
  readonly diskReserveBytes?: number | undefined
  readonly uploads?: number | undefined
  /** Databases whose files are merged and removed at once. */
  readonly merges?: number | undefined
  /** Of files that are in memory to be uploaded. */
  readonly uploadMemoryBytes?: number | undefined
  readonly requestsPerSecond?: number | undefined
  /** Beyond so many in 30 days it is warned. */
  readonly monthlyRequests?: number | undefined
}

/** Flags of `replicate` for {@link Limits}. */
export const limitFlags = {
  'max-spool': Flags.string({
    description:
      'disk space for captures that wait for their upload, of all databases, for example 2GB; beyond it they are given up and made good by a comparison; default: half of what is free',
  }),
  'disk-reserve': Flags.string({
    description:
      'disk space that is left to the application, default a twentieth of the disk, 256MiB at most',
  }),
  'max-uploads': Flags.integer({ min: 1, description: 'files that are uploaded at once, default 64' }),
  'max-merges': Flags.integer({
    min: 1,
    description: 'databases whose files are merged and removed at once, default 4',
  }),
  'max-requests-per-second': Flags.integer({
    min: 1,
    description: 'calls of stores in a second; databases take turns; default: no limit',
  }),
  'monthly-requests': Flags.integer({
    min: 1,
    description: 'warn when a month would take more calls of stores, going on as in the last day',
  }),
}

/** What was said with {@link limitFlags}, over what a configuration says. @throws CLIError `usage` */
export function limitsOf(
  flags: { readonly [Name in keyof typeof limitFlags]: string | number | undefined },
  configured: Limits = {},
): Limits {
  const bytes = (text: string | number | undefined): number | undefined =>
    text === undefined ? undefined : parseByteSize(String(text))
  const said = {
    spoolBytes: bytes(flags['max-spool']),
    diskReserveBytes: bytes(flags['disk-reserve']),
    uploads: flags['max-uploads'],
    merges: flags['max-merges'],
    requestsPerSecond: flags['max-requests-per-second'],
    monthlyRequests: flags['monthly-requests'],
  }
  return {
    ...configured,
    ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
  }
}

/** @param onOver called when a month would take more requests than allowed */
export function budgetsOf(limits: Limits, onOver: (estimate: RequestEstimate) => void): Budgets {
  const { spoolBytes, diskReserveBytes, uploadMemoryBytes, requestsPerSecond } = limits
  const options: BudgetOptions = {
    disk: {
      ...(spoolBytes !== undefined && { maxSpoolBytes: spoolBytes }),
      ...(diskReserveBytes !== undefined && { reserveBytes: diskReserveBytes }),
    },
    maxUploads: limits.uploads,
    maxMaintenances: limits.merges,
    maxUploadBytes: uploadMemoryBytes,
    maxRequestsPerSecond: requestsPerSecond,
    monthlyRequests: limits.monthlyRequests,
    onRequestsOverBudget: onOver,
  }
  return new Budgets(options)
}

/** As one line of `replicate --json`. */
export function overBudgetJSON(
  { perMonth, operation, share }: RequestEstimate,
  { monthlyRequests = 0 }: Limits,
): EventJSON {
  const time = new Date().toISOString()
  return { time, type: 'request-budget', perMonth, budget: monthlyRequests, operation, share }
}

/** The same for people. */
export function overBudgetLine(
  { perMonth, operation, share }: RequestEstimate,
  { monthlyRequests = 0 }: Limits,
): string {
  const most = `${Math.round(share * 100)} % of them ${operation}`
  return `warning: a month would take ${formatCount(perMonth, 'request')} (${most}) if it goes on as in the last day; the budget is ${monthlyRequests} (request-budget)`
}
