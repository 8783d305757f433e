import type { BigIntStats } from 'node:fs'
import { StorageError } from '@sqlstream/storage'
import type { FileCalls } from './file-calls.ts'
import { type CallContext, DRIVER } from './system-errors.ts'

/**
 * Notices that the root is not the folder any more that it was at first: a disk that is not mounted leaves another folder at its
 * place, or none. Then nothing that seems to be missing is gone, and nothing may be made anew.
 */
export class Root {
  readonly path: string
  /** How files below it are looked at. */
  readonly calls: FileCalls
  #identity: string | undefined

  constructor(path: string, calls: FileCalls) {
    this.path = path
    this.calls = calls
  }

  /** Learns which folder it is, the first time that it is there. */
  async learn(): Promise<void> {
    this.#identity ??= identityOf(await this.calls.stat(this.path))
  }

  /** @throws StorageError `unavailable` when another folder is there now, or none */
  async assertSame(context: CallContext): Promise<void> {
    if (this.#identity === undefined) return
    const now = identityOf(await this.calls.stat(this.path))
    if (now === this.#identity) return
    const what = now === undefined ? 'is gone' : 'is another folder now'
    // Not transient: a person has to do something, so whoever waits is told.
    throw new StorageError(`${this.path} ${what}`, {
      driver: DRIVER,
      ...context,
      code: 'unavailable',
      transient: false,
      hint: 'Mount the disk again. If the folder was replaced on purpose, start again.',
    })
  }

  /** Undefined when a path below is missing while the root is there, not for the moment in which that is away. */
  async statInside(path: string, context: CallContext): Promise<BigIntStats | undefined> {
    const stats = await this.calls.lstat(path)
    if (stats !== undefined) return stats
    await this.assertSame(context)
    return this.calls.lstat(path)
  }
}

function identityOf(stats: BigIntStats | undefined): string | undefined {
  return stats && `${stats.dev}:${stats.ino}`
}
