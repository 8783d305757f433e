/**
 * Every way in which bytes are refused:
 * `truncated` ends too early · `bad-magic` not an LTX file · `bad-header`, `bad-page`, `bad-index`, `bad-trailer` that part is
 * malformed · `page-out-of-order` page numbers do not ascend · `page-missing` a snapshot or a growth has a hole · `lock-page`
 * holds the page that SQLite never stores · `checksum-mismatch` bytes or chain proofs differ from their checksum ·
 * `non-contiguous` files to merge do not follow each other · `page-size-mismatch` files to merge differ in page size.
 */
export type LTXErrorCode =
  | 'truncated'
  | 'bad-magic'
  | 'bad-header'
  | 'bad-page'
  | 'bad-index'
  | 'bad-trailer'
  | 'page-out-of-order'
  | 'page-missing'
  | 'lock-page'
  | 'checksum-mismatch'
  | 'non-contiguous'
  | 'page-size-mismatch'

/** What is known about a failure beside its code and message. */
export interface LTXErrorOptions {
  /** Byte offset in the file (in the given bytes where there is no file). */
  readonly offset?: number | undefined
  /** What a person can do about it. */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** The one error class of this package: bytes, or an order of pages or files, that LTX does not allow. */
export class LTXError extends Error {
  override readonly name = 'LTXError'
  readonly code: LTXErrorCode
  /** Byte offset in the file, where one is known. */
  declare readonly offset?: number
  /** What a person can do about it. */
  declare readonly hint?: string

  constructor(code: LTXErrorCode, message: string, options: LTXErrorOptions = {}) {
    super(
      options.offset === undefined ? message : `${message} at offset ${options.offset}`,
      'cause' in options ? { cause: options.cause } : undefined,
    )
    this.code = code
    if (options.offset !== undefined) this.offset = options.offset
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** True for an LTXError of any installed copy of this package, of the given code if one is given. */
export function isLTXError(error: unknown, code?: LTXErrorCode): error is LTXError {
  if (!(error instanceof Error) || error.name !== 'LTXError' || !('code' in error)) return false
  return code === undefined || error.code === code
}
