/** What goes wrong with one request to a faked service. */
export type HttpFault =
  /** The connection ends before the request is carried out. */
  | { readonly kind: 'drop' }
  /** The request is carried out, and the connection ends instead of an answer. */
  | { readonly kind: 'drop-answer' }
  /** An error instead of carrying it out; `code` is the service's own word for it. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code?: string }
  /** The request is carried out, and answered with an error. */
  | { readonly kind: 'refuse-after'; readonly status: number; readonly code?: string }
  /** The answer's body breaks off after so many bytes: the client was promised more. */
  | { readonly kind: 'cut'; readonly after: number }
  /** The answer's body has only so many bytes, and the answer says that this is all. */
  | { readonly kind: 'short'; readonly after: number }
  /** Nothing is read, carried out or answered; the connection stays. */
  | { readonly kind: 'hang' }
  /** The request is carried out, and no answer comes. */
  | { readonly kind: 'hang-answer' }
  /** The answer's body stops after so many bytes; the connection stays. */
  | { readonly kind: 'hang-body'; readonly after: number }
  /** The answer's body comes in pieces of `bytes`, each after a pause. */
  | { readonly kind: 'slow'; readonly bytes: number; readonly everyMs: number }
  /** The request is carried out twice, as if the network had repeated it; the second answer is sent. */
  | { readonly kind: 'twice' }
  /** The service answers from what it knew before its last change. */
  | { readonly kind: 'stale' }

/** Which requests a fault meets. */
export interface HttpFaultRule {
  /** The service's name of the operation. Default: every request. */
  readonly request?: string
  /** The n-th such request since the plan was set, from 1, or the first and last of several. Default: all. */
  readonly at?: number | readonly [first: number, last: number]
  readonly fault: HttpFault
}

/** Counts requests and says what befalls each: the first rule that fits. */
export class HttpFaultPlan {
  readonly #rules: readonly { rule: HttpFaultRule; seen: number }[]
  #fired = 0

  constructor(rules: readonly HttpFaultRule[] = []) {
    this.#rules = rules.map((rule) => ({ rule, seen: 0 }))
  }

  /** How many requests had a fault so far: a test whose plan never fired proves nothing. */
  get fired(): number {
    return this.#fired
  }

  /** To be called once for each request. */
  next(request: string): HttpFault | undefined {
    let fault: HttpFault | undefined
    for (const entry of this.#rules) {
      if (entry.rule.request !== undefined && entry.rule.request !== request) continue
      entry.seen += 1
      if (fault === undefined && isMet(entry.rule.at, entry.seen)) fault = entry.rule.fault
    }
    if (fault !== undefined) this.#fired += 1
    return fault
  }
}

function isMet(at: HttpFaultRule['at'], n: number): boolean {
  if (at === undefined) return true
  return typeof at === 'number' ? n === at : n >= at[0] && n <= at[1]
}
