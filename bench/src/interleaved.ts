/** Something measured beside others. */
export interface Work {
  /** Does it once. Returns the processor time in milliseconds. */
  time(): number | Promise<number>
}

/** Work of this process: processor time of all its threads, so that compiler and garbage collector are paid for. */
export function ownWork(work: () => unknown): Work {
  return {
    time: async () => {
      const before = process.cpuUsage()
      await work()
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    },
  }
}

/**
 * Rounds in which each takes its turn, in random order: what runs before leaves caches and clocks behind. Returns what each took,
 * one number a round, in the order of `works`.
 */
export async function interleaved(rounds: number, works: readonly Work[]): Promise<Float64Array[]> {
  const times = works.map(() => new Float64Array(rounds))
  const order = works.map((_, which) => which)
  for (let round = 0; round < rounds; round++) {
    shuffle(order)
    for (const which of order) times[which]![round] = await works[which]!.time()
  }
  return times
}

function shuffle(order: number[]): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const moved = order[i]!
    order[i] = order[j]!
    order[j] = moved
  }
}
