import { z } from 'zod'
import { parseByteSize } from '../byte-size.ts'
import { parseDuration } from '../duration.ts'

// What the keys of `sqlstream.yml` take.

function isAbove0(parse: (text: string) => number): (text: string) => boolean {
  return (text) => {
    try {
      return parse(text) > 0
    } catch {
      return false
    }
  }
}

export const text = (expected: string): z.ZodString =>
  z.string({ error: `expected ${expected}` }).min(1, `expected ${expected}`)
export const duration = z
  .string({ error: 'expected a duration such as 500ms, 1s or 2m' })
  .refine(isAbove0(parseDuration), { error: 'expected a duration above 0 such as 500ms, 1s or 2m' })
export const byteSize = z
  .string({ error: 'expected a size such as 500MB or 10GB' })
  .refine(isAbove0(parseByteSize), { error: 'expected a size above 0 such as 500MB or 10GB' })
export const truth = z.boolean({ error: 'expected true or false' })
export const mapping = { error: 'expected a mapping' }
export const scalar = z.union([z.string(), z.number(), z.boolean()], {
  error: 'expected a text, a number, true or false',
})
