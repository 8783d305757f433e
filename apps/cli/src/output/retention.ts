import { formatTXID } from '@sqlstream/ltx'
import type {
  LTXFile,
  RestorePoint,
  RetentionPlan,
  RetentionPolicy,
  RetentionTier,
  TierOutlook,
} from '@sqlstream/replica'
import { spellReach, spellStep } from '../keep.ts'
import type { RetentionJSON } from '../maintenance-schema.ts'
import type { TierJSON } from '../schema-parts.ts'
import { fileJSON } from './json.ts'
import { pointJSON } from './replica-list.ts'
import { formatTable } from './table.ts'
import { formatBytes, formatCount } from './units.ts'

/** A run of retention, or a plan of one. */
export interface RetentionReport {
  readonly source: string
  readonly dryRun: boolean
  readonly now: Date
  readonly policy: RetentionPolicy
  readonly plan: RetentionPlan
}

/** A run of retention as it appears in `--json` output. */
export function retentionJSON({ source, dryRun, now, policy, plan }: RetentionReport): RetentionJSON {
  const { oldest, newest, tiers } = plan.outlook
  return {
    source,
    dryRun,
    now: now.toISOString(),
    graceMs: policy.grace,
    minSnapshots: policy.minSnapshots,
    tiers: tiers.map(outlookJSON),
    ...(oldest && { oldest: pointJSON(oldest) }),
    ...(newest && { newest: pointJSON(newest) }),
    marked: plan.doom.map(fileJSON),
    unmarked: plan.undoom.map(fileJSON),
    waiting: plan.waiting.map(fileJSON),
    removed: plan.remove.map(fileJSON),
    unconnected: plan.unconnected.map(fileJSON),
    bytesFreed: sizeOf(plan.remove),
  }
}

/** The same for people: what stays restorable, then what goes. */
export function retentionText({ source, dryRun, plan }: RetentionReport): string {
  const { oldest, newest, tiers } = plan.outlook
  const would = dryRun ? 'would be ' : ''
  const lines = [
    formatTable(
      [
        { title: 'KEPT' },
        { title: 'UP TO AN AGE OF' },
        { title: 'STATES THAT STAY', align: 'right' },
        { title: 'THAT GO', align: 'right' },
      ],
      tiers.map((each) => [...tierWords(each), String(each.stays), String(each.goes)]),
    ),
    oldest && newest
      ? `${source} can be restored from ${pointText(oldest)} to ${pointText(newest)}`
      : `${source}: nothing can be restored`,
    `${filesText(plan.doom)} ${would}marked as unneeded, ${filesText(plan.waiting)} ${plan.waiting.length === 1 ? 'waits' : 'wait'} for the end of the grace`,
    `${filesText(plan.remove)} ${would}removed`,
  ]
  if (plan.undoom.length > 0) lines.push(`${filesText(plan.undoom)} ${would}needed again`)
  if (plan.unconnected.length > 0) {
    lines.push(`${filesText(plan.unconnected)} on no chain: sqlstream verify tells what is missing`)
  }
  return lines.join('\n')
}

function tierWords({ tier }: TierOutlook): [string, string] {
  return tier ? [spellStep(tier), spellReach(tier)] : ['nothing by age', '']
}

function outlookJSON({ tier, stays, goes }: TierOutlook): RetentionJSON['tiers'][number] {
  return { ...(tier && tierJSON(tier)), stays, goes }
}

/** A step of a policy as it appears in `--json` output. */
export function tierJSON({ every, for: span }: RetentionTier): TierJSON {
  return {
    ...(every === 'capture' ? { every } : { everyMs: every }),
    ...(span === Number.POSITIVE_INFINITY ? {} : { forMs: span }),
  }
}

function pointText({ txid, time }: RestorePoint): string {
  return `${time.toISOString()} (TXID ${formatTXID(txid)})`
}

function filesText(files: readonly LTXFile[]): string {
  return `${formatCount(files.length, 'file')} (${formatBytes(sizeOf(files))})`
}

function sizeOf(files: readonly LTXFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
