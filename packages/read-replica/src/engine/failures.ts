/** SQLite has refused or failed. */
export class SqlFailure extends Error {
  override readonly name = 'SqlFailure'
  readonly sqliteCode: string

  constructor(message: string, sqliteCode: string) {
    super(message)
    this.sqliteCode = sqliteCode
  }
}

/** What was asked for makes no sense to begin with. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A statement has begun a transaction and did not end it. */
export class OpenTransaction extends Error {
  override readonly name = 'OpenTransaction'
}
