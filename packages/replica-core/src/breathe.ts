/** Synchronous work gives way after this many bytes of pages. */
export const BREATH_BYTES: number = 8 << 20

/** Lets timers, uploads and signals have their turn during long synchronous work. Throws the signal's reason. */
export function breathe(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    })
  })
}
