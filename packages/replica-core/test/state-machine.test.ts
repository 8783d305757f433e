import { describe, expect, it } from 'vitest'
import { nextState, type PrimaryState, type PrimaryTrigger, TRANSITIONS } from '../src/state-machine.ts'

const STATES = Object.keys(TRANSITIONS) as PrimaryState[]
const TRIGGERS = Object.keys(TRANSITIONS.closed) as PrimaryTrigger[]

/** What each trigger leads to, where it means anything. */
const LEADS_TO: Readonly<Record<PrimaryTrigger, PrimaryState>> = {
  open: 'opening',
  proven: 'continuing',
  doubt: 'resyncing',
  'no-base': 'snapshotting',
  commit: 'capturing',
  'caught-up': 'idle',
  'give-up': 'suspended',
  fence: 'fenced',
  failure: 'failed',
  close: 'closed',
}

/** Where each trigger means something; `close` and, once open, `fence` and `failure` always do. */
const WHERE: Readonly<Partial<Record<PrimaryTrigger, readonly PrimaryState[]>>> = {
  open: ['closed'],
  proven: ['opening', 'failed'],
  doubt: ['opening', 'continuing', 'resyncing', 'snapshotting', 'capturing', 'idle', 'suspended', 'failed'],
  'no-base': [
    'opening',
    'continuing',
    'resyncing',
    'snapshotting',
    'capturing',
    'idle',
    'suspended',
    'failed',
  ],
  commit: ['continuing', 'resyncing', 'snapshotting', 'capturing', 'idle', 'failed'],
  'caught-up': ['continuing', 'resyncing', 'snapshotting', 'capturing', 'idle', 'failed'],
  'give-up': STATES.filter((state) => state !== 'closed' && state !== 'fenced'),
  fence: STATES.filter((state) => state !== 'closed'),
  failure: STATES.filter((state) => state !== 'closed'),
  close: STATES,
}

const PAIRS = STATES.flatMap((state) => TRIGGERS.map((trigger) => [state, trigger] as const))

describe('the state machine', () => {
  it.each(PAIRS)('%s, %s', (state, trigger) => {
    if (!WHERE[trigger]?.includes(state)) {
      expect(() => nextState(state, trigger)).toThrow(TypeError)
      return
    }
    // The one exception: what is fenced does not merely fail.
    const fenced = state === 'fenced' && trigger === 'failure'
    expect(nextState(state, trigger)).toBe(fenced ? 'fenced' : LEADS_TO[trigger])
  })

  it('T1: fenced ends only with close', () => {
    for (const trigger of TRIGGERS) {
      const next = TRANSITIONS.fenced[trigger]
      if (trigger === 'close') expect(next).toBe('closed')
      else expect([undefined, 'fenced']).toContain(next)
    }
  })

  it('T2: from failed every way back is open', () => {
    for (const trigger of ['proven', 'doubt', 'no-base', 'commit', 'caught-up'] as const) {
      expect(nextState('failed', trigger)).not.toBe('failed')
    }
  })

  it('every state can be reached from closed, and closed from every state', () => {
    const reached = new Set<PrimaryState>(['closed'])
    for (const state of reached)
      for (const next of Object.values(TRANSITIONS[state])) if (next) reached.add(next)
    expect([...reached].sort()).toEqual([...STATES].sort())
    for (const state of STATES) expect(nextState(state, 'close')).toBe('closed')
  })
})
