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

/** Rounds in which each takes its turn, in changing order. Returns what each took, one number a round, in the order of `works`. */
export async function interleaved(rounds: number, works: readonly Work[]): Promise<Float64Array[]> {
  const times = works.map(() => new Float64Array(rounds))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < works.length; turn++) {
      const which = (turn + round) % works.length
      times[which]![round] = await works[which]!.time()
    }
  }
  return times
}
