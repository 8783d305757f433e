/** What a primary is doing. SPEC.md, "States". */
export type PrimaryState =
  | 'closed'
  | 'opening'
  | 'continuing'
  | 'resyncing'
  | 'snapshotting'
  | 'capturing'
  | 'idle'
  | 'suspended'
  | 'fenced'
  | 'failed'

/** What can happen to it. */
export type PrimaryTrigger =
  | 'open'
  | 'proven'
  | 'doubt'
  | 'no-base'
  | 'commit'
  | 'caught-up'
  | 'give-up'
  | 'fence'
  | 'failure'
  | 'close'

/**
 * Every state with every trigger; `undefined` is a programming error. Total by type, so a new state
 * or trigger does not compile until each pair is decided.
 */
export const TRANSITIONS: Readonly<
  Record<PrimaryState, Readonly<Record<PrimaryTrigger, PrimaryState | undefined>>>
> = {
  closed: row({ open: 'opening' }),
  opening: row({ proven: 'continuing', doubt: 'resyncing', 'no-base': 'snapshotting' }),
  continuing: row({
    doubt: 'resyncing',
    'no-base': 'snapshotting',
    'caught-up': 'idle',
    commit: 'capturing',
  }),
  resyncing: row({ doubt: 'resyncing', 'no-base': 'snapshotting', 'caught-up': 'idle', commit: 'capturing' }),
  snapshotting: row({
    doubt: 'resyncing',
    'no-base': 'snapshotting',
    'caught-up': 'idle',
    commit: 'capturing',
  }),
  capturing: row({ doubt: 'resyncing', 'no-base': 'snapshotting', 'caught-up': 'idle', commit: 'capturing' }),
  idle: row({ doubt: 'resyncing', 'no-base': 'snapshotting', 'caught-up': 'idle', commit: 'capturing' }),
  // Captures were given up for want of disk space: nothing is captured before all pages were compared.
  suspended: row({ doubt: 'resyncing', 'no-base': 'snapshotting' }),
  // A fenced writer stays fenced until it is opened anew: going on would mix two histories.
  fenced: { ...row({}), 'give-up': undefined, fence: 'fenced', failure: 'fenced' },
  failed: row({
    proven: 'continuing',
    doubt: 'resyncing',
    'no-base': 'snapshotting',
    'caught-up': 'idle',
    commit: 'capturing',
  }),
}

/** @throws TypeError when the trigger means nothing in this state */
export function nextState(state: PrimaryState, trigger: PrimaryTrigger): PrimaryState {
  const next = TRANSITIONS[state][trigger]
  if (next === undefined) throw new TypeError(`${trigger} cannot happen while ${state}`)
  return next
}

function row(
  own: Partial<Record<PrimaryTrigger, PrimaryState>>,
): Record<PrimaryTrigger, PrimaryState | undefined> {
  return {
    open: own.open,
    proven: own.proven,
    doubt: own.doubt,
    'no-base': own['no-base'],
    commit: own.commit,
    'caught-up': own['caught-up'],
    'give-up': own.open === undefined ? 'suspended' : undefined,
    fence: own.open === undefined ? 'fenced' : undefined,
    failure: own.open === undefined ? 'failed' : undefined,
    close: 'closed',
  }
}
