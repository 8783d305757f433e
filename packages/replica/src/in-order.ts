/** Runs up to `limit` calls at a time and yields their results in the order of the items. */
export async function* inOrder<T, R>(
  items: readonly T[],
  limit: number,
  run: (item: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const running: Promise<R>[] = []
  let next = 0
  while (next < items.length || running.length > 0) {
    while (next < items.length && running.length < limit) {
      const result = run(items[next++] as T)
      // The first failure is thrown below; later ones must not count as unhandled meanwhile.
      result.catch(() => undefined)
      running.push(result)
    }
    yield await (running.shift() as Promise<R>)
  }
}
