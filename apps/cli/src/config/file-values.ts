import { z } from 'zod'
import { parseDuration } from '../duration.ts'

// What the keys of `sqlstream.yml` take.

function isDuration(text: string): boolean {
  try {
    return parseDuration(text) > 0
  } catch {
    return false
  }
}

export const text = (expected: string): z.ZodString =>
  z.string({ error: `expected ${expected}` }).min(1, `expected ${expected}`)
export const duration = z
  .string({ error: 'expected a duration such as 500ms, 1s or 2m' })
  .refine(isDuration, { error: 'expected a duration above 0 such as 500ms, 1s or 2m' })
export const truth = z.boolean({ error: 'expected true or false' })
export const mapping = { error: 'expected a mapping' }
export const scalar = z.union([z.string(), z.number(), z.boolean()], {
  error: 'expected a text, a number, true or false',
})
