/** Files looked at together while listing. */
const STAT_BATCH = 64

/** The same keys, some at a time. */
export async function* inBatches(keys: AsyncIterable<string>): AsyncGenerator<string[], void> {
  let batch: string[] = []
  for await (const key of keys) {
    batch.push(key)
    if (batch.length < STAT_BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}
