import type { ReplayableBody } from '@sqlstream/storage'

/** Bytes without a pattern that a shift would hide; the same for the same arguments. */
export function someBytes(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** A body of several chunks that counts what is done to it. */
export interface WatchedBody extends ReplayableBody {
  readonly opened: number
  /** Readings that ended, failed or were released. */
  readonly released: number
}

export interface BodyPlan {
  /** Chunks in order; a function is awaited in between, and may throw or hang. */
  readonly parts: readonly (Uint8Array | (() => Promise<void>))[]
  readonly size?: number
}

export function watchedBody(plan: BodyPlan): WatchedBody {
  let opened = 0
  let released = 0
  return {
    ...(plan.size === undefined ? {} : { size: plan.size }),
    get opened() {
      return opened
    },
    get released() {
      return released
    },
    open() {
      opened += 1
      let position = 0
      let open = true
      const release = (): { done: true; value: undefined } => {
        if (open) released += 1
        open = false
        return { done: true, value: undefined }
      }
      return {
        [Symbol.asyncIterator]: () => ({
          async next(): Promise<IteratorResult<Uint8Array>> {
            try {
              while (open) {
                const part = plan.parts[position]
                position += 1
                if (part === undefined) break
                if (part instanceof Uint8Array) return { done: false, value: part }
                await part()
              }
              return release()
            } catch (error) {
              release()
              throw error
            }
          },
          return: async () => release(),
        }),
      }
    },
  }
}
