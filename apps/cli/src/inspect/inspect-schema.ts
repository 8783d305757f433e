import { z } from 'zod'

/** What `inspect` says with --json, once it can be asked: one line. */
export const inspect = z.strictObject({
  source: z.string(),
  /** Of the page; it holds a secret. */
  url: z.url(),
})
export type InspectJSON = z.infer<typeof inspect>
