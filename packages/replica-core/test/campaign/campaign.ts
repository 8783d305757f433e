import { peerOrReason } from '@sqlstream/testkit'
import { impossible, pickFault } from './faults.ts'
import { History, type Tally } from './history.ts'

const ROUNDS_PER_HISTORY = 16

/** How long, and from where. */
export interface CampaignOptions {
  readonly seed: number
  /** Ends after the history in which so many faults are reached. */
  readonly faults: number
  /** Ends after the history in which this is over. Default: never. */
  readonly seconds?: number
  /** Share of the rounds in which many faults come close to each other, none of which needs a new process. Default 0.75. */
  readonly bursts?: number
  /** Histories that fail are copied into folders below this one. Default: none. */
  readonly keep?: string
  readonly onProgress?: (line: string) => void
}

/** What came of it. */
export interface CampaignResult {
  readonly seed: number
  readonly seconds: number
  readonly histories: number
  readonly faults: number
  readonly byKind: Readonly<Record<string, number>>
  readonly refusals: Readonly<Record<string, number>>
  readonly checkedRestores: number
  readonly failures: readonly { readonly seed: number; readonly after: string; readonly message: string }[]
  /** What could not be done here, and why. */
  readonly notDone: readonly string[]
}

/** Histories of databases under random faults; each is decided by its seed, but for the moments at which things happen. */
export async function campaign(options: CampaignOptions): Promise<CampaignResult> {
  const tally: Tally = { faults: new Map(), refusals: new Map(), restores: 0 }
  const failures: { seed: number; after: string; message: string }[] = []
  const notDone: string[] = []
  const peer = await peerOrReason('litestream-cli')
  const litestream = 'reason' in peer ? undefined : peer
  if ('reason' in peer) notDone.push(`Litestream attached: ${peer.reason}`)
  const began = performance.now()
  const seconds = (): number => (performance.now() - began) / 1000
  const done = (): number => [...tally.faults.values()].reduce((sum, n) => sum + n, 0)
  const isOver = (): boolean =>
    done() >= options.faults || seconds() > (options.seconds ?? Number.POSITIVE_INFINITY)
  let histories = 0
  while (!isOver()) {
    const seed = options.seed + histories++
    const history = new History(seed, tally)
    if (history.small === undefined && notDone.every((line) => !line.startsWith('full file system')))
      notDone.push(
        'full file system, read-only state folder at the start: no file system can be mounted here',
      )
    let failed = false
    try {
      await history.begin()
      for (let n = 0; n < ROUNDS_PER_HISTORY && !isOver(); n++) {
        const burst = history.random.chance(options.bursts ?? 0.75)
        const allowed: string[] = []
        for (let left = burst ? 4 + history.random.below(14) : 1; left > 0; left--) {
          const [kind, fault] = pickFault(history, burst)
          if (impossible(kind, history, { litestream })) continue
          history.count(kind)
          allowed.push(...(await fault(history, { litestream })))
        }
        await history.settle(allowed)
        await history.check(history.random.pick(history.names))
        await history.checkBefore()
      }
      await history.end()
    } catch (error) {
      failed = true
      const after = `${history.mode}: ${history.last}`
      failures.push({ seed, after, message: (error as Error).message })
      options.onProgress?.(`seed ${seed}, ${after}: ${(error as Error).stack}`)
    } finally {
      await history.dispose(failed && options.keep !== undefined ? `${options.keep}/${seed}` : undefined)
    }
    options.onProgress?.(
      `history ${histories} (${history.mode}): ${done()} faults, ${failures.length} failures, ${Math.round(seconds())} s`,
    )
  }
  const sorted = (map: ReadonlyMap<string, number>): Record<string, number> =>
    Object.fromEntries([...map].sort(([a], [b]) => a.localeCompare(b)))
  return {
    seed: options.seed,
    seconds: Math.round(seconds()),
    histories,
    faults: done(),
    byKind: sorted(tally.faults),
    refusals: sorted(tally.refusals),
    checkedRestores: tally.restores,
    failures,
    notDone,
  }
}
