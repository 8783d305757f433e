import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Discovery, type DiscoveryOptions } from '../../src/fleet/discovery.ts'
import type { DiscoveryEvent } from '../../src/fleet/discovery-events.ts'
import { FolderWatches } from '../../src/fleet/folder-watches.ts'

/** Long enough that no scan comes by itself: what is told then came by events. */
export const NEVER_MS = 2 ** 30

/** A discovery, what it told so far, and a way to wait for more. */
export class DiscoveryLog implements AsyncDisposable {
  readonly events: DiscoveryEvent[] = []
  readonly watches: FolderWatches
  discovery!: Discovery
  #waiting: (() => void)[] = []

  private constructor(watches: FolderWatches) {
    this.watches = watches
  }

  static async open(
    path: string,
    options: Partial<DiscoveryOptions> = {},
    watches: FolderWatches = new FolderWatches(),
  ): Promise<DiscoveryLog> {
    const log = new DiscoveryLog(watches)
    const all = { path, scanIntervalMs: NEVER_MS, watches, fileSystem: async () => undefined, ...options }
    log.discovery = await Discovery.open(all, (event) => {
      log.events.push(event)
      for (const each of log.#waiting.splice(0)) each()
    })
    return log
  }

  /** Events in short, without warnings. */
  get lines(): string[] {
    return this.events.filter(({ type }) => type !== 'warning').map(inShort)
  }

  get warnings(): string[] {
    return this.events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  }

  get found(): string[] {
    return this.discovery.databases.map(({ relpath }) => relpath).sort()
  }

  /** Resolves when an event in short has come, also when it came before. */
  async until(line: string): Promise<void> {
    await this.when(() => this.lines.includes(line))
  }

  async when(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  forget(): void {
    this.events.length = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discovery.close()
    this.watches.close()
  }
}

function inShort(event: DiscoveryEvent): string {
  switch (event.type) {
    case 'found': {
      const from = event.movedFrom === undefined ? '' : ` from ${event.movedFrom}`
      return `found ${event.candidate.relpath}${from}`
    }
    case 'changed':
      return `changed ${event.relpath} ${event.files.join('+')}`
    case 'gone':
    case 'replaced':
      return `${event.type} ${event.candidate.relpath}`
    case 'warning':
      return `warning ${event.code}`
  }
}

/** The first page of a database in WAL mode (or another), as far as discovery reads it. */
export function header(journal: 'wal' | 'rollback' = 'wal', pages = 1): Uint8Array {
  const bytes = new Uint8Array(4096 * pages)
  bytes.set(new TextEncoder().encode('SQLite format 3\0'))
  const version = journal === 'wal' ? 2 : 1
  bytes.set([0x10, 0, version, version], 16)
  return bytes
}

/** Writes a database and the folders that lead to it. */
export function place(path: string, content: Uint8Array | string = header()): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}
