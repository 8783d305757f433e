import { watch as watchFolder } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { StallClock } from './stall-clock.ts'

/** One watch of the operating system; `name` is null where it does not say. */
export type WatchFolder = (
  folder: string,
  onEvent: (type: 'rename' | 'change', name: string | null) => void,
  onError: (error: Error) => void,
) => { close(): void }

/** Called at once for every event; must be cheap. `rename`: a name came or went; null: anything may have happened. */
export type FolderListener = (name: string | null, type: 'rename' | 'change') => void

/** A place among the listeners of a watch. */
export interface WatchSubscription {
  /** False where there is no watch, or no longer: then only a scan finds what happened. */
  readonly active: boolean
  /** Why there is no watch: `ENOSPC` and `EMFILE` are limits of the system. */
  readonly error: NodeJS.ErrnoException | undefined
  close(): void
}

/** What happened to a watch that its listeners had. */
export type LostListener = (error: NodeJS.ErrnoException) => void

interface Watched {
  readonly folder: string
  handle: { close(): void }
  readonly listeners: Set<FolderListener>
  readonly byName: Map<string, Set<() => void>>
  readonly subscriptions: Set<Subscription>
}

class Subscription implements WatchSubscription {
  error: NodeJS.ErrnoException | undefined
  readonly onLost: LostListener | undefined
  leave: (() => void) | undefined

  constructor(onLost: LostListener | undefined) {
    this.onLost = onLost
  }

  get active(): boolean {
    return this.leave !== undefined
  }

  close(): void {
    this.leave?.()
    this.leave = undefined
  }
}

/**
 * File events of folders, with one watch a folder however many listen, and events handed on by file name. A watch of
 * a file would cost one watch each; a watch of a folder by each of its databases would call all of them at every event.
 *
 * Events are a means to be quick and nothing more. The kernel drops them without a word when its queue is full (16,384
 * on Linux), so {@link onSuspect} says when that may have happened.
 */
export class FolderWatches {
  readonly #watch: WatchFolder
  readonly #folders = new Map<string, Watched>()
  readonly #stalls = new StallClock()

  constructor(watch: WatchFolder = systemWatch) {
    this.#watch = watch
  }

  /** Watches of the operating system that are open. */
  get size(): number {
    return this.#folders.size
  }

  /** Every event of a folder, not of the folders in it. `onLost` is called at most once, and ends the subscription. */
  watch(folder: string, onEvent: FolderListener, onLost?: LostListener): WatchSubscription {
    return this.#subscribe(resolve(folder), onLost, (watched) => {
      // A function of its own: the same listener may come twice.
      const listener: FolderListener = (name, type) => onEvent(name, type)
      watched.listeners.add(listener)
      return () => watched.listeners.delete(listener)
    })
  }

  /** The events of one name in its folder, whether or not there is such a file now. */
  watchFile(path: string, onEvent: () => void, onLost?: LostListener): WatchSubscription {
    const full = resolve(path)
    const name = basename(full)
    return this.#subscribe(dirname(full), onLost, (watched) => {
      const listener = () => onEvent()
      const named = watched.byName.get(name) ?? new Set()
      watched.byName.set(name, named.add(listener))
      return () => {
        named.delete(listener)
        if (named.size === 0 && watched.byName.get(name) === named) watched.byName.delete(name)
      }
    })
  }

  /**
   * Calls back when events may have been lost: the event loop stood still for more than half a second, or brought more
   * than 10,000 events at once. The answer is to look at everything. Returns the function that ends it.
   */
  onSuspect(listener: () => void): () => void {
    return this.#stalls.listen(listener)
  }

  /** Watches a folder anew whose path may lead to another one now. */
  renew(folder: string): void {
    const watched = this.#folders.get(resolve(folder))
    if (watched) this.#reopen(watched)
  }

  /** Closes every watch. Subscriptions end without a call. */
  close(): void {
    for (const watched of [...this.#folders.values()]) {
      for (const subscription of [...watched.subscriptions]) subscription.close()
    }
    this.#stalls.close()
  }

  #subscribe(
    folder: string,
    onLost: LostListener | undefined,
    add: (watched: Watched) => () => void,
  ): WatchSubscription {
    const subscription = new Subscription(onLost)
    try {
      const watched = this.#folders.get(folder) ?? this.#open(folder)
      const remove = add(watched)
      watched.subscriptions.add(subscription)
      subscription.leave = () => {
        remove()
        watched.subscriptions.delete(subscription)
        if (watched.subscriptions.size === 0) this.#drop(watched)
      }
    } catch (error) {
      subscription.error = error as NodeJS.ErrnoException
    }
    return subscription
  }

  #open(folder: string): Watched {
    const watched: Watched = {
      folder,
      handle: { close: () => undefined },
      listeners: new Set(),
      byName: new Map(),
      subscriptions: new Set(),
    }
    watched.handle = this.#start(watched)
    this.#folders.set(folder, watched)
    return watched
  }

  #start(watched: Watched): { close(): void } {
    const own = basename(watched.folder)
    const handle = this.#watch(
      watched.folder,
      (type, name) => {
        if (watched.handle !== handle) return
        this.#stalls.count()
        // The folder itself was moved or deleted: Linux then gives what follows the last slash, other systems the name
        // of the folder, which something in it may have too.
        if (type === 'rename' && (name === '' || name === own)) this.#reopen(watched)
        if (name === '') return
        deliver(watched, type, name)
      },
      (error) => {
        if (watched.handle === handle) this.#lose(watched, error)
      },
    )
    return handle
  }

  /** The path may lead to another folder now. The new watch comes before the old one goes, so nothing falls between. */
  #reopen(watched: Watched): void {
    const before = watched.handle
    try {
      watched.handle = this.#start(watched)
    } catch (error) {
      this.#lose(watched, error as NodeJS.ErrnoException)
      return
    }
    before.close()
    deliver(watched, 'rename', null)
  }

  #lose(watched: Watched, error: NodeJS.ErrnoException): void {
    this.#drop(watched)
    for (const subscription of [...watched.subscriptions]) {
      if (!subscription.active) continue
      subscription.leave = undefined
      subscription.error = error
      subscription.onLost?.(error)
    }
    watched.subscriptions.clear()
    watched.listeners.clear()
    watched.byName.clear()
  }

  #drop(watched: Watched): void {
    if (this.#folders.get(watched.folder) === watched) this.#folders.delete(watched.folder)
    watched.handle.close()
    watched.handle = { close: () => undefined }
  }
}

function deliver(watched: Watched, type: 'rename' | 'change', name: string | null): void {
  for (const listener of watched.listeners) listener(name, type)
  if (name !== null) {
    for (const listener of watched.byName.get(name) ?? []) listener()
    return
  }
  for (const named of watched.byName.values()) for (const listener of named) listener()
}

/** Does not keep the process alive. */
const systemWatch: WatchFolder = (folder, onEvent, onError) => {
  // With a separator at its end, a path that is a file now is refused instead of watched.
  const watcher = watchFolder(join(folder, '/'), { persistent: false }, onEvent)
  watcher.on('error', onError)
  return watcher
}
