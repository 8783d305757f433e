import {
  type DiskLimits,
  type DiskSpace,
  type DiskUse,
  type GiveUpReason,
  planDisk,
  roomOf,
} from '../plan-disk.ts'
import { type Disk, diskOf } from '../state/disk-space.ts'

/** Between two looks at the disk, unless something large is coming... */
const LOOK_MS = 250
/** ...but with many databases a look takes long: no more than a fiftieth of the time... */
const LONGEST_SHARE = 50
/** ...unless a disk would fill unseen. */
const MOST_LOOK_MS = 2000
/** What counts as large. */
const LARGE = 1 << 20
/** A look each time that captures may have taken such a part of the room that the last one found... */
const PART = 8
/** ...but not for less than this, on a disk that is full. */
const LEAST = 256 << 10

/** A database whose captures take disk space. */
export interface DiskUser {
  /** Where its local state is, and its database. */
  readonly folders: { readonly state: string; readonly database: string }
  /** What it takes now. */
  use(): DiskUse
  /** Resolves when its captures are gone, and the WAL is free. */
  giveUp(reason: GiveUpReason, space: DiskSpace): Promise<void>
}

/** Watches the disks that databases share, and has those give up their captures that {@link planDisk} names. */
export class DiskBudget {
  readonly #limits: DiskLimits
  readonly #diskOf: (folder: string) => Disk | undefined
  readonly #users = new Set<DiskUser>()
  #lastLook = Number.NEGATIVE_INFINITY
  #pauseMs = LOOK_MS
  /** What captures may take before the next look, and what they may have taken since the last one. */
  #room = LARGE
  #taken = 0
  #looking: Promise<void> | undefined

  /** @param disk for tests */
  constructor(limits: DiskLimits = {}, disk: (folder: string) => Disk | undefined = diskOf) {
    this.#limits = limits
    this.#diskOf = disk
  }

  /** Returns what lets go of it again. */
  join(user: DiskUser): () => void {
    this.#users.add(user)
    return () => this.#users.delete(user)
  }

  /** To be called before a capture, and now and then. Resolves when there is room again, as far as we can make it. */
  async look(user: DiskUser): Promise<void> {
    const incoming = useOf(user)?.incomingBytes ?? 0
    this.#taken += incoming
    const isSoon = performance.now() - this.#lastLook < this.#pauseMs
    if (isSoon && incoming < LARGE && this.#taken < this.#room) return
    this.#looking ??= this.#look().finally(() => {
      this.#lastLook = performance.now()
      this.#looking = undefined
    })
    await this.#looking
  }

  async #look(): Promise<void> {
    const began = performance.now()
    const disks = this.#usedDisks()
    const share = (performance.now() - began) * LONGEST_SHARE
    this.#pauseMs = Math.min(Math.max(LOOK_MS, share), MOST_LOOK_MS)
    this.#taken = 0
    const rooms = disks.map(({ disk }) => roomOf(disk, this.#limits))
    this.#room = rooms.length === 0 ? LARGE : Math.max(LEAST, Math.min(...rooms) / PART)
    for (const { disk, users } of disks) {
      const plan = planDisk(disk, users, this.#limits)
      if (plan === undefined) continue
      // One that fails to give up must not keep the others from it.
      await Promise.allSettled(plan.giveUp.map(({ user }) => user.giveUp(plan.reason, disk)))
    }
  }

  /** The disks that are used, and by whom. */
  #usedDisks(): readonly { readonly disk: Disk; readonly users: readonly UseOf[] }[] {
    const disks = new Map<number, { disk: Disk; users: UseOf[] }>()
    const known = new Map<string, Disk | undefined>()
    const add = (folder: string, use: UseOf): void => {
      if (use.spoolBytes + use.walBytes + use.incomingBytes === 0) return
      const disk = known.has(folder) ? known.get(folder) : this.#diskOf(folder)
      known.set(folder, disk)
      if (disk === undefined) return
      const same = disks.get(disk.device)
      if (same === undefined) disks.set(disk.device, { disk, users: [use] })
      else same.users.push(use)
    }
    for (const user of this.#users) {
      const use = useOf(user)
      if (use === undefined) continue
      const { state, database } = user.folders
      // The local state may be on another disk.
      add(state, { ...use, walBytes: 0, user })
      add(database, { ...use, spoolBytes: 0, incomingBytes: 0, user })
    }
    return [...disks.values()]
  }
}

/** What a database takes of one disk. */
interface UseOf extends DiskUse {
  readonly user: DiskUser
}

/** One that cannot tell must not keep the others from being looked at. */
function useOf(user: DiskUser): DiskUse | undefined {
  try {
    return user.use()
  } catch {
    return undefined
  }
}
