const tails = new Map<string, Promise<void>>()

/**
 * Runs one task after another per path, for all stores of this process: two of them may have the same
 * root. For drivers whose servers cannot do so: it makes conditional puts atomic against plain puts and deletes of the same process.
 */
export async function withPathLock<T>(path: string, task: () => Promise<T>): Promise<T> {
  const before = tails.get(path)
  const { promise: tail, resolve: release } = Promise.withResolvers<void>()
  tails.set(path, tail)
  try {
    await before
    return await task()
  } finally {
    if (tails.get(path) === tail) tails.delete(path)
    release()
  }
}
