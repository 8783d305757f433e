import type { AbortOptions } from '@sqlstream/storage'
import { tempName } from './hidden-names.ts'
import { DONE, type Resources } from './resources.ts'
import { type CallContext, failure } from './webdav-errors.ts'

/** Collections remembered; when there are more, all are forgotten and proven again. */
const MAX_KNOWN = 10_000

/** Makes the collections of a store. They are not removed with their last object: DELETE takes all that is in them. */
export class Collections {
  readonly #resources: Resources
  readonly #createRoot: boolean
  readonly #known = new Set<string>()

  constructor(resources: Resources, createRoot: boolean) {
    this.#resources = resources
    this.#createRoot = createRoot
  }

  /** After this the collection exists. `key` is '' for the root. */
  async ensure(context: CallContext, key: string): Promise<void> {
    if (this.#known.has(key)) return
    if (key === '') await this.#ensureRoot(context)
    else {
      await this.ensure(context, parentOf(key))
      await this.#resources.makeCollection(context, key)
    }
    this.#remember(key)
  }

  /** Whether it exists, asked once. */
  async exists(context: CallContext, key: string, options: AbortOptions): Promise<boolean> {
    if (this.#known.has(key)) return true
    if ((await this.#resources.find(context, key, options))?.kind !== 'folder') return false
    this.#remember(key)
    return true
  }

  #remember(key: string): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.add(key)
  }

  /** Drops what is remembered, because a collection has vanished under us. */
  forget(): void {
    this.#known.clear()
  }

  /** Where the root must not be made: rejects with 'not-found' when it is missing. */
  async checkRoot(context: CallContext): Promise<void> {
    if (this.#createRoot || (await this.#resources.find(context, '')) !== undefined) return
    const hint = 'Create the folder on the server, or correct the address.'
    throw failure(context, 'not-found', 'the folder does not exist on the server', { hint })
  }

  /**
   * Removes a collection in which there is no object, so that a key can have its name. It is set aside first: what others
   * put into it from then on finds no collection, and nothing of theirs is deleted.
   * @returns false when there is an object in it
   */
  async clear(context: CallContext, key: string): Promise<boolean> {
    if (!(await this.#isEmpty(context, `${key}/`))) return false
    const parent = parentOf(key)
    const aside = parent === '' ? tempName() : `${parent}/${tempName()}`
    const status = await this.#resources.move(context, `${key}/`, `${aside}/`, { overwrite: false })
    if (!DONE.has(status)) return false
    this.forget()
    if (await this.#isEmpty(context, `${aside}/`)) {
      await this.#resources.remove(context, `${aside}/`)
      return true
    }
    // Somebody put an object into it just now.
    const back = await this.#resources.move(context, `${aside}/`, `${key}/`, { overwrite: false })
    if (DONE.has(back)) return false
    const hint = `Look for it in ${aside} on the server.`
    throw failure(context, 'unavailable', `${key} was set aside and could not be put back`, { hint })
  }

  async #isEmpty(context: CallContext, base: string): Promise<boolean> {
    for (const { kind, name } of (await this.#resources.readCollection(context, base)) ?? []) {
      if (kind === 'file' || !(await this.#isEmpty(context, `${base}${name}/`))) return false
    }
    return true
  }

  async #ensureRoot(context: CallContext): Promise<void> {
    await this.checkRoot(context)
    if (this.#createRoot) await this.#resources.makeRoot(context)
  }
}

export function parentOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')))
}
