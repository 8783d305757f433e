import { PrimaryError } from '@sqlstream/replica-core'
import { StorageError } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { describeFailure } from '../src/failure.ts'
import { type ApplicationEnd, exitCodeOfEnd, failureOfRun } from '../src/run/outcome.ts'
import {
  MOST_RESTORES,
  planArrival,
  planDatabase,
  planRefusedArrival,
  planRefusedStart,
} from '../src/run/plan-database.ts'
import {
  BEGIN,
  type FORWARDED,
  type RunAction,
  type RunEvent,
  type RunPhase,
  type RunState,
  stepRun,
} from '../src/run/plan-run.ts'
import { isForegroundStat } from '../src/run/terminal.ts'

const term: RunEvent = { type: 'signal', signal: 'SIGTERM', reached: false }
const terminalInt: RunEvent = { type: 'signal', signal: 'SIGINT', reached: true }
const hup: RunEvent = { type: 'signal', signal: 'SIGHUP', reached: false }
const usr1: RunEvent = { type: 'signal', signal: 'SIGUSR1', reached: false }
const EVENTS = {
  term,
  terminalInt,
  hup,
  usr1,
  started: { type: 'started' },
  refused: { type: 'refused' },
  late: { type: 'late' },
  ended: { type: 'ended' },
} as const satisfies Record<string, RunEvent>

const forward = (signal: (typeof FORWARDED)[number]): RunAction => ({ do: 'forward', signal })
const abandon: RunAction = { do: 'abandon' }
const terminate: RunAction = { do: 'terminate' }
const kill: RunAction = { do: 'kill' }
const exit: RunAction = { do: 'exit' }

type Row = readonly [to: RunPhase, asked: boolean, ...actions: RunAction[]]

/** What each event means in each phase, when nobody has asked for the end before. */
const TABLE: Record<RunPhase, Record<keyof typeof EVENTS, Row>> = {
  preparing: {
    term: ['abandoned', true, abandon],
    terminalInt: ['abandoned', true, abandon],
    hup: ['abandoned', true, abandon],
    usr1: ['preparing', false],
    started: ['running', false],
    refused: ['abandoned', false, abandon],
    late: ['preparing', false],
    ended: ['draining', false],
  },
  abandoned: {
    term: ['abandoned', true],
    terminalInt: ['abandoned', true],
    hup: ['abandoned', false],
    usr1: ['abandoned', false],
    started: ['stopping', false, terminate],
    refused: ['abandoned', false],
    late: ['abandoned', false],
    ended: ['draining', false],
  },
  running: {
    term: ['running', true, forward('SIGTERM')],
    terminalInt: ['running', true],
    hup: ['running', false, forward('SIGHUP')],
    usr1: ['running', false, forward('SIGUSR1')],
    started: ['running', false],
    refused: ['stopping', false, terminate],
    late: ['running', false],
    ended: ['draining', false],
  },
  stopping: {
    term: ['stopping', true, forward('SIGTERM')],
    terminalInt: ['stopping', true],
    hup: ['stopping', false, forward('SIGHUP')],
    usr1: ['stopping', false, forward('SIGUSR1')],
    started: ['running', false],
    refused: ['stopping', false],
    late: ['stopping', false, kill],
    ended: ['draining', false],
  },
  draining: {
    term: ['draining', true],
    terminalInt: ['draining', true],
    hup: ['draining', false],
    usr1: ['draining', false],
    started: ['running', false],
    refused: ['draining', false],
    late: ['draining', false],
    ended: ['draining', false],
  },
}

describe('T52: a run', () => {
  const cases = Object.entries(TABLE).flatMap(([phase, row]) =>
    Object.entries(row).map(([event, step]) => [phase, event, step] as const),
  )
  test.each(cases)('%s: %s', (phase, event, [to, asked, ...actions]) => {
    // An application is started once, and only while it is prepared.
    if (event === 'started' && phase !== 'preparing' && phase !== 'abandoned') return
    const state: RunState = { phase: phase as RunPhase, asked: false }
    const step = stepRun(state, EVENTS[event as keyof typeof EVENTS])
    expect(step).toEqual({ state: { phase: to, asked }, actions })
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGQUIT'] as const)(
    'ends at once when %s is the second wish for its end, and no application runs',
    (signal) => {
      for (const phase of ['abandoned', 'draining'] as const) {
        const step = stepRun({ phase, asked: true }, { type: 'signal', signal, reached: false })
        expect(step.actions).toEqual([exit])
      }
      for (const phase of ['running', 'stopping'] as const) {
        const step = stepRun({ phase, asked: true }, { type: 'signal', signal, reached: false })
        expect(step.actions).toEqual([forward(signal)])
      }
    },
  )

  test('goes from a wish for its end while the application runs to an end at once while it uploads', () => {
    const events: RunEvent[] = [{ type: 'started' }, term, { type: 'ended' }, term]
    let state = BEGIN
    const actions = events.map((event) => {
      const step = stepRun(state, event)
      state = step.state
      return step.actions
    })
    expect(actions).toEqual([[], [forward('SIGTERM')], [], [exit]])
  })
})

describe('T52: a database', () => {
  test.each([
    ['wal', 'none', false, { kind: 'use' }],
    ['wal', 'there', false, { kind: 'use' }],
    ['not-wal', 'there', false, { kind: 'use' }],
    ['not-a-database', 'none', false, { kind: 'use' }],
    ['missing', 'there', false, { kind: 'restore', replacesEmpty: false }],
    ['missing', 'there', true, { kind: 'restore', replacesEmpty: false }],
    ['empty', 'there', false, { kind: 'restore', replacesEmpty: true }],
    ['missing', 'none', false, { kind: 'claim' }],
    ['empty', 'none', false, { kind: 'claim' }],
    ['missing', 'none', true, { kind: 'expect' }],
    ['empty', 'none', true, { kind: 'expect' }],
  ] as const)('that is %s, backup %s, claimed %s', (local, backup, claimed, plan) => {
    expect(planDatabase(local, backup, { claimed })).toEqual(plan)
  })

  test.each([
    ['behind', 1, true, 'restore'],
    ['diverged', 1, true, 'restore'],
    ['behind', MOST_RESTORES, true, 'give-up'],
    ['behind', 1, false, 'give-up'],
    ['behind', 0, true, 'give-up'],
    ['lease-held', 1, true, 'give-up'],
    ['unavailable', 1, true, 'give-up'],
  ] as const)('%s after %i restores, untouched %s: %s', (code, restores, untouched, plan) => {
    expect(planRefusedStart(code, { restores, untouched })).toBe(plan)
  })

  test.each([
    ['missing', 'wait'],
    ['empty', 'wait'],
    ['not-wal', 'doubt'],
    ['not-a-database', 'doubt'],
    ['wal', 'begin'],
  ] as const)('of the application that is %s: %s', (local, plan) => {
    expect(planArrival(local)).toBe(plan)
  })

  test.each([
    ['lease-held', 'stop-application'],
    ['diverged', 'stop-application'],
    ['wrong-database', 'stop-application'],
    ['not-wal-mode', 'try-again'],
    ['unavailable', 'try-again'],
    ['permission-denied', 'try-again'],
  ] as const)('of the application that cannot be replicated, %s: %s', (code, plan) => {
    expect(planRefusedArrival(code)).toBe(plan)
  })
})

describe('the outcome', () => {
  const ended = (code: number): ApplicationEnd => ({ code, signal: null })
  const killed = (signal: NodeJS.Signals): ApplicationEnd => ({ code: null, signal })
  const away = new StorageError('connection refused', { code: 'unavailable', driver: 's3', operation: 'put' })
  const fenced = new PrimaryError('fenced', 'another writer uses this replica')
  const nothing = new Map<string, Error>()
  const left = new Map<string, Error>([['app.db', away]])

  test('T38: the exit code is what a shell would give for the application', () => {
    expect([ended(0), ended(3), killed('SIGTERM'), killed('SIGKILL')].map(exitCodeOfEnd)).toEqual([
      0, 3, 143, 137,
    ])
  })

  test('nothing is wrong when all is uploaded, and an application that failed is what matters', () => {
    for (const end of [ended(0), ended(3), killed('SIGTERM')])
      expect(failureOfRun(end, undefined, nothing)).toBeUndefined()
    for (const end of [ended(3), killed('SIGTERM')])
      expect(failureOfRun(end, undefined, left)).toBeUndefined()
  })

  test('what is not safe is an error of an application that ended well', () => {
    const failure = describeFailure(failureOfRun(ended(0), undefined, left))
    expect(failure).toMatchObject({ code: 'not-uploaded', exit: 6 })
    expect(failure.message).toMatch(/replica of app\.db \(unavailable: .*connection refused/)
  })

  test('another writer comes before everything else', () => {
    for (const end of [ended(0), ended(3), killed('SIGKILL')])
      expect(describeFailure(failureOfRun(end, fenced, left))).toMatchObject({ code: 'fenced', exit: 12 })
  })
})

test.each([
  ['in the foreground', '7 (node) S 1 7 7 34816 7 4194304', true],
  ['in the background', '7 (node) S 1 7 6 34816 9 4194304', false],
  ['without a terminal', '7 (node) S 1 7 7 0 -1 4194304', false],
  ['with a name that has everything in it', '7 (a) b (c 1 2) S 1 7 7 34816 7 4194304', true],
])('a process %s', (_, stat, expected) => {
  expect(isForegroundStat(stat)).toBe(expected)
})
