/** What the page itself finds wrong. */
export type InspectorErrorCode = 'no-files' | 'several-replicas' | 'bad-archive' | 'too-large'

/** An error for people: one sentence, a code, and often what can be done. */
export class InspectorError extends Error {
  override readonly name = 'InspectorError'
  readonly code: InspectorErrorCode
  readonly hint?: string

  constructor(code: InspectorErrorCode, message: string, hint?: string) {
    super(message)
    this.code = code
    if (hint !== undefined) this.hint = hint
  }
}
