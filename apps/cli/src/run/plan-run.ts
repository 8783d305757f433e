/** What `sqlstream run` hands on to its application. */
export const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
export type ForwardedSignal = (typeof FORWARDED)[number]

/**
 * - `preparing`: databases are restored and opened, no application runs
 * - `abandoned`: none is to be started
 * - `running`: it runs
 * - `stopping`: it was told to end, since its databases are not to be written any more
 * - `draining`: it has ended, and what it has committed is uploaded
 */
export type RunPhase = 'preparing' | 'abandoned' | 'running' | 'stopping' | 'draining'

export interface RunState {
  readonly phase: RunPhase
  /** Somebody wants it all to end: the next time that means at once. */
  readonly asked: boolean
}

export type RunEvent =
  | {
      readonly type: 'signal'
      readonly signal: ForwardedSignal
      /** A terminal has sent it to the application as well. */
      readonly reached: boolean
    }
  | { readonly type: 'started' }
  /** A database may not be written from here any more. */
  | { readonly type: 'refused' }
  /** The application was told to end, and has not done so in time. */
  | { readonly type: 'late' }
  | { readonly type: 'ended' }

export type RunAction =
  /** End the preparation: no application is started. */
  | { readonly do: 'abandon' }
  | { readonly do: 'forward'; readonly signal: ForwardedSignal }
  /** SIGTERM, and `late` after a while. */
  | { readonly do: 'terminate' }
  | { readonly do: 'kill' }
  /** End this process at once. */
  | { readonly do: 'exit' }

export interface RunStep {
  readonly state: RunState
  readonly actions: readonly RunAction[]
}

/** Before anything has happened. */
export const BEGIN: RunState = { phase: 'preparing', asked: false }

const ENDING: ReadonlySet<ForwardedSignal> = new Set(['SIGINT', 'SIGTERM', 'SIGQUIT'])

/** Decides what an event means. Pure. */
export function stepRun(state: RunState, event: RunEvent): RunStep {
  const nothing: RunStep = { state, actions: [] }
  switch (event.type) {
    case 'signal':
      return stepSignal(state, event)
    case 'started':
      // It was being started when it was abandoned.
      if (state.phase === 'abandoned') return toldToEnd(state)
      return { state: { ...state, phase: 'running' }, actions: [] }
    case 'refused':
      if (state.phase === 'preparing')
        return { state: { ...state, phase: 'abandoned' }, actions: [{ do: 'abandon' }] }
      return state.phase === 'running' ? toldToEnd(state) : nothing
    case 'late':
      return state.phase === 'stopping' ? { state, actions: [{ do: 'kill' }] } : nothing
    case 'ended':
      return { state: { ...state, phase: 'draining' }, actions: [] }
  }
}

function toldToEnd(state: RunState): RunStep {
  return { state: { ...state, phase: 'stopping' }, actions: [{ do: 'terminate' }] }
}

function stepSignal(
  state: RunState,
  { signal, reached }: { readonly signal: ForwardedSignal; readonly reached: boolean },
): RunStep {
  const isEnding = ENDING.has(signal)
  const after = { ...state, asked: state.asked || isEnding }
  switch (state.phase) {
    case 'preparing':
      // Without its terminal nobody waits for it any more; of an application's own signals there is nothing to say yet.
      if (!isEnding && signal !== 'SIGHUP') return { state, actions: [] }
      return { state: { phase: 'abandoned', asked: true }, actions: [{ do: 'abandon' }] }
    case 'running':
    case 'stopping':
      return { state: after, actions: reached ? [] : [{ do: 'forward', signal }] }
    case 'abandoned':
    case 'draining':
      return { state: after, actions: isEnding && state.asked ? [{ do: 'exit' }] : [] }
  }
}
