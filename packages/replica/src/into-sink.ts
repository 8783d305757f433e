import type { PageSink, RestoredImage } from './restore/page-sink.ts'

/** Makes what `rebuild` wrote to the sink visible; whatever fails, an abort too, the sink is aborted first. */
export async function intoSink<Result extends RestoredImage>(
  sink: PageSink,
  signal: AbortSignal | undefined,
  rebuild: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await rebuild()
    signal?.throwIfAborted()
    await sink.commit(result)
    return result
  } catch (error) {
    try {
      await sink.abort()
    } catch {
      // What made the restore fail tells more than that cleaning up failed too; the next restore sweeps.
    }
    throw error
  }
}
