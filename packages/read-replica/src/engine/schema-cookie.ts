/**
 * The schema cookie that SQLite is shown. By it alone a connection tells that its statements are of another schema, so one that was there must never come back with
 * another schema, as happens where a state is of another history: there, too, somebody may have changed the schema so many times.
 */
export class SchemaCookie {
  #database: number | undefined
  #shown = 0
  #jumps = 0

  /**
   * @param database the cookie in the database
   * @param jumps how many states before did not continue the one before them
   */
  show(database: number, jumps: number): number {
    if (this.#database === undefined) this.#shown = database
    else if (database !== this.#database || jumps !== this.#jumps) {
      this.#shown = Math.max(this.#shown + 1, database) >>> 0
    }
    this.#database = database
    this.#jumps = jumps
    return this.#shown
  }
}
