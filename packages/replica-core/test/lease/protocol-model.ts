import type { Epoch } from '@sqlstream/replica'
import { planHold, planLease } from '../../src/lease/plan-lease.ts'
import type { LeaseRecord } from '../../src/lease/record.ts'

/*
 * The lease protocol, small enough to search every interleaving. Two writers with a copy of one database each, and applications
 * that commit into both copies, one store. What a writer does is cut into steps, each atomic at the store; between any two steps
 * anything else may happen: the other writer goes on, time passes, a request arrives late or its answer is lost. A writer that
 * takes no step for a while is one that was paused. The decisions are those of src/lease/plan-lease.ts.
 */

/** Time to live. At ages 0, 1 a lease is held, from 3 on nothing is written (planHold), and at 3 it may be taken. */
const TTL = 3

/** What bounds the search, and what can be broken to see that the search finds it. */
export interface ModelOptions {
  /** Commits of each application. */
  readonly commits: number
  /** Leases that are taken in all. */
  readonly takes: number
  /** How far above the head a new base begins after a takeover. */
  readonly gap: number
  /** Ticks less than the time to live that a taker watches. */
  readonly hasty?: number
  /** Writers send without looking at the age of their lease. */
  readonly heedless?: boolean
  /** An answer is believed however late it comes. */
  readonly credulous?: boolean
  /** A release removes the lease instead of leaving a tombstone. */
  readonly forgetful?: boolean
  /** Bases are sent without an announcement. */
  readonly silent?: boolean
  /** A tombstone does not say that files may still arrive. */
  readonly careless?: boolean
}

interface Lease {
  readonly epoch: number
  readonly released: boolean
  /** Files of this holder or of one before it may still arrive. */
  readonly inFlight: boolean
  /** A base of this TXID may still arrive; 0: none. */
  readonly base: number
}

/** A file: `base` holds everything, another one leads from `pre` to `post`. States of a database are numbers. */
interface File {
  readonly txid: number
  readonly base: boolean
  readonly pre: number
  readonly post: number
  readonly epoch: number
}

interface Writer {
  readonly mode: 'out' | 'starting' | 'holding' | 'fenced'
  readonly epoch: number
  /** The lease is as it wrote it last. */
  readonly mine: boolean
  /** Ticks since its last renewal was sent. */
  readonly age: number
  readonly formerMayWrite: boolean
  /** The base that an earlier holder announced. */
  readonly lateBase: number
  /** It has seen the lease as it is, and for how long that has been the same. */
  readonly seen: boolean
  readonly unchanged: number
  /** The base that it announced. */
  readonly announced: number
  /** State of its database, and how many commits its application has left. */
  readonly database: number
  readonly commits: number
  /** Last transaction that is in the replica, by what it knows. */
  readonly txid: number
  readonly post: number
  /** TXID of the base that is to be written; 0: none. */
  readonly base: number
  /** The put that it waits for. */
  readonly waiting: File | undefined
  /** A put on its way to the store; it may outlast the wait. */
  readonly flying: File | undefined
  /** The store's answer to the put it waits for. */
  readonly answer: 'created' | 'there' | undefined
}

interface State {
  readonly lease: Lease | undefined
  readonly files: readonly File[]
  readonly writers: readonly Writer[]
  readonly takes: number
  /** The highest epoch ever taken. */
  readonly highest: number
  /** For each epoch the number of files that existed when its holder listed. */
  readonly listed: readonly (readonly [epoch: number, count: number])[]
}

/** A state that must never be, and how it came about. */
export interface Violation {
  readonly what: string
  readonly steps: readonly string[]
}

/** What a search found. */
export interface SearchResult {
  readonly states: number
  readonly violation: Violation | undefined
  /** Steps that were taken at least once. */
  readonly seen: ReadonlySet<string>
}

type Step = readonly [name: string, next: State]

/** Visits every reachable state, nearest first. */
export function search(options: ModelOptions): SearchResult {
  const writer: Writer = {
    mode: 'out',
    epoch: 0,
    mine: false,
    age: 0,
    formerMayWrite: false,
    lateBase: 0,
    seen: false,
    unchanged: 0,
    announced: 0,
    database: 0,
    commits: options.commits,
    txid: 0,
    post: -1,
    base: 0,
    waiting: undefined,
    flying: undefined,
    answer: undefined,
  }
  const first: State = {
    lease: undefined,
    files: [{ txid: 1, base: true, pre: -1, post: 0, epoch: 0 }],
    writers: [writer, writer],
    takes: 0,
    highest: 0,
    listed: [],
  }
  const known = new Map([[keyOf(first), 0]])
  const parents = [-1]
  const names = ['']
  const seen = new Set<string>()
  let front: (readonly [State, number])[] = [[first, 0]]
  while (front.length > 0) {
    const next: (readonly [State, number])[] = []
    for (const [state, at] of front) {
      for (const [name, to] of stepsOf(state, options)) {
        seen.add(name.replace(/^\d /, ''))
        const problem =
          (to.files === state.files ? undefined : problemOf(to)) ?? (name.endsWith('!') ? name : undefined)
        if (problem !== undefined) {
          const steps = [name]
          for (let i = at; i > 0; i = parents[i]!) steps.unshift(names[i]!)
          return { states: known.size, violation: { what: problem, steps }, seen }
        }
        const key = keyOf(to)
        if (known.has(key)) continue
        known.set(key, parents.length)
        next.push([to, parents.length])
        parents.push(at)
        names.push(name)
      }
    }
    front = next
  }
  return { states: known.size, violation: undefined, seen }
}

const MODES = ['out', 'starting', 'holding', 'fenced']

/** A state as a short text: everything that decides what can happen next. */
function keyOf({ lease, files, writers, takes, highest, listed }: State): string {
  const file = (each: File | undefined): string =>
    each === undefined ? '' : `${each.txid}${each.base ? 'b' : 'f'}${each.pre}>${each.post}e${each.epoch}`
  const parts: (string | number)[] = [
    lease === undefined ? '' : `${lease.epoch}${+lease.released}${+lease.inFlight}b${lease.base}`,
    files.map(file).join(),
    takes,
    highest,
    listed.join(),
  ]
  for (const w of writers) {
    const flags = [w.mine, w.formerMayWrite, w.seen].map(Number).join('')
    parts.push(
      MODES.indexOf(w.mode) + flags,
      w.epoch,
      w.age,
      w.unchanged,
      w.lateBase,
      w.announced,
      w.database,
    )
    parts.push(w.commits, w.txid, w.post, w.base, file(w.waiting), file(w.flying), w.answer ?? '')
  }
  return parts.join('|')
}

function stepsOf(state: State, options: ModelOptions): Step[] {
  const steps: Step[] = []
  steps.push(['tick', tick(state)])
  for (const i of [0, 1])
    for (const [name, next] of stepsOfWriter(state, i, options)) steps.push([`${i} ${name}`, next])
  return steps
}

/** Time matters to who holds a lease and to who watches one. */
function tick(state: State): State {
  return {
    ...state,
    writers: state.writers.map((writer) => ({
      ...writer,
      age: writer.mode === 'holding' || writer.mode === 'starting' ? Math.min(TTL, writer.age + 1) : 0,
      unchanged: writer.seen ? Math.min(TTL, writer.unchanged + 1) : 0,
    })),
  }
}

function stepsOfWriter(state: State, i: number, options: ModelOptions): Step[] {
  const writer = state.writers[i]!
  const steps: Step[] = []
  const set = (change: Partial<Writer>, rest: Partial<State> = {}): State => ({
    ...state,
    ...rest,
    writers: state.writers.map((each, n) => (n === i ? { ...each, ...change } : each)),
  })
  if (writer.commits > 0 && writer.mode !== 'fenced') {
    // Each commit makes a state that no other commit makes.
    const database = (i + 1) * 100 + writer.commits
    steps.push(['commits', set({ database, commits: writer.commits - 1 })])
  }
  // A put arrives, whatever became of its sender.
  if (writer.flying !== undefined) {
    const { flying } = writer
    const there = state.files.find((file) => file.txid === flying.txid && file.base === flying.base)
    const files = there === undefined ? [...state.files, flying] : state.files
    const answer = there === undefined || same(there, flying) ? 'created' : 'there'
    const heard = writer.waiting !== undefined && same(writer.waiting, flying) ? ({ answer } as const) : {}
    steps.push(['put arrives', set({ flying: undefined, ...heard }, { files })])
    if (writer.waiting !== undefined) {
      steps.push(['answer is lost', set({ flying: undefined, waiting: undefined }, { files })])
      steps.push(['gives up waiting', set({ waiting: undefined })])
    }
  }
  if (writer.mode === 'out') steps.push(...takeSteps(state, writer, i, options, set))
  if (writer.mode === 'starting') steps.push(['lists', starts(state, writer, options, set)])
  if (writer.mode === 'holding') steps.push(...holdSteps(state, writer, i, options, set))
  return steps
}

type Set = (change: Partial<Writer>, rest?: Partial<State>) => State

/** The lease object is written: nobody else has seen it so. */
function write(
  state: State,
  i: number,
  lease: Lease | undefined,
  change: Partial<Writer>,
  rest: Partial<State> = {},
): State {
  const writers = state.writers.map((each, n) =>
    n === i
      ? { ...each, mine: true, age: 0, ...change }
      : { ...each, mine: false, seen: false, unchanged: 0 },
  )
  return { ...state, ...rest, lease, writers }
}

function takeSteps(state: State, writer: Writer, i: number, options: ModelOptions, set: Set): Step[] {
  const { lease } = state
  const steps: Step[] = []
  if (lease !== undefined && !writer.seen) steps.push(['looks', set({ seen: true, unchanged: 0 })])
  const plan = planLease(lease && { record: recordOf(lease), etag: 'now' }, `place ${i}`, {
    etag: writer.seen ? 'now' : 'before',
    unchangedMs: writer.unchanged + (options.hasty ?? 0),
  })
  if (plan.kind !== 'take' || state.takes >= options.takes) return steps
  const epoch = Number(plan.epoch)
  const { formerMayWrite } = plan
  const lateBase = lease?.base ?? 0
  const name = epoch > state.highest ? 'takes the lease' : `takes the lease: epoch ${epoch} again!`
  const taken = { epoch, released: false, inFlight: formerMayWrite, base: lateBase }
  const change = {
    mode: 'starting',
    epoch,
    formerMayWrite,
    lateBase,
    seen: false,
    unchanged: 0,
    announced: 0,
  } as const
  const rest = { takes: state.takes + 1, highest: Math.max(epoch, state.highest) }
  steps.push([name, write(state, i, taken, change, rest)])
  return steps
}

function recordOf(lease: Lease): LeaseRecord {
  return {
    epoch: BigInt(lease.epoch) as Epoch,
    state: lease.released ? 'released' : 'held',
    inFlight: lease.inFlight,
    owner: '',
    holder: '',
    place: '',
    renewal: 0,
    ttlMs: TTL,
    since: '',
    expires: '',
  }
}

/** One listing, then the rules of a takeover: the head is ours, so go on; else a new base, above where late files may come. */
function starts(state: State, writer: Writer, options: ModelOptions, set: Set): State {
  const head = state.files.reduce((a, b) => (b.txid > a.txid ? b : a))
  const known = { txid: head.txid, post: head.post, mode: 'holding' } as const
  const listed = [...state.listed, [writer.epoch, state.files.length] as const]
  const { lateBase, formerMayWrite } = writer
  if (head.post === writer.database && lateBase <= head.txid) return set({ ...known, base: 0 }, { listed })
  const base = Math.max(head.txid, lateBase) + 1 + (formerMayWrite ? options.gap : 0)
  return set({ ...known, base }, { listed })
}

function holdSteps(state: State, writer: Writer, i: number, options: ModelOptions, set: Set): Step[] {
  const steps: Step[] = []
  const { lease } = state
  const hold = options.heedless ? 'fresh' : planHold(writer.age, TTL)
  if (hold !== 'fresh') {
    steps.push(
      writer.mine
        ? ['renews', write(state, i, lease, {})]
        : ['finds out', set({ mode: 'fenced', waiting: undefined, answer: undefined })],
    )
  }
  if (writer.waiting !== undefined) {
    if (writer.answer !== undefined) steps.push(...answered(state, writer, i, hold, options, set))
    return steps
  }
  const file = nextFile(writer)
  if (file?.base && writer.announced !== file.txid && !options.silent) {
    if (writer.mine)
      steps.push([
        'announces a base',
        write(state, i, { ...lease!, base: file.txid }, { announced: file.txid }),
      ])
  } else if (file !== undefined && writer.flying === undefined && hold !== 'stale') {
    steps.push(['sends', set({ waiting: file, flying: file })])
  }
  // Whatever was sent and not answered may be on its way.
  if (writer.mine && hold !== 'stale') {
    const inFlight = !options.careless && (writer.flying !== undefined || writer.formerMayWrite)
    const tombstone = options.forgetful ? undefined : { ...lease!, released: true, inFlight }
    steps.push(['releases', write(state, i, tombstone, { mode: 'out', mine: false })])
  }
  return steps
}

function nextFile(writer: Writer): File | undefined {
  const { base, txid, post, database, epoch } = writer
  if (base > 0) return { txid: base, base: true, pre: -1, post: database, epoch }
  if (post === database) return undefined
  return { txid: txid + 1, base: false, pre: post, post: database, epoch }
}

function answered(
  state: State,
  writer: Writer,
  i: number,
  hold: string,
  options: ModelOptions,
  set: Set,
): Step[] {
  const file = writer.waiting!
  const done = { waiting: undefined, answer: undefined }
  if (writer.answer === 'created') {
    // Late, it counts only after a renewal.
    if (hold === 'stale' && !options.credulous) return []
    const at = state.files.findIndex((each) => same(each, file))
    const missed = state.listed.find(([epoch, count]) => epoch > writer.epoch && count <= at)
    const name = missed === undefined ? 'acknowledges' : `acknowledges what epoch ${missed[0]} has not seen!`
    // What former holders sent can only collide with it now.
    return [[name, set({ ...done, txid: file.txid, post: file.post, base: 0, formerMayWrite: false })]]
  }
  // Another one's file lies there: whose right it is, the lease says.
  if (!writer.mine) return [['is fenced by a file', set({ ...done, mode: 'fenced' })]]
  const base = file.txid + 1 + options.gap
  return [['meets a late file', write(state, i, state.lease, { ...done, base })]]
}

function same(a: File, b: File): boolean {
  return a.txid === b.txid && a.base === b.base && a.post === b.post && a.epoch === b.epoch
}

/** Every restore point must be reached from one base by files that fit, and be one state. */
function problemOf({ files }: State): string | undefined {
  for (const target of files) {
    const states = new Set(files.filter(({ txid }) => txid === target.txid).map(({ post }) => post))
    if (states.size > 1) return `TXID ${target.txid} is two states`
    const base = files
      .filter((file) => file.base && file.txid <= target.txid)
      .reduce((a, b) => (b.txid > a.txid ? b : a))
    let { post } = base
    for (let txid = base.txid + 1; txid <= target.txid; txid++) {
      const file = files.find((each) => each.txid === txid && !each.base)
      if (file === undefined) return `TXID ${txid} is missing`
      if (file.pre !== post) return `two histories meet at TXID ${txid}`
      post = file.post
    }
  }
  return undefined
}
