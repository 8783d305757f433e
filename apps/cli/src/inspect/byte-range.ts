import type { ByteRange } from '@sqlstream/storage'

/** What the header `Range` asks for: one range of bytes. Undefined for anything else, which means the whole object. */
export function parseRange(header: string | undefined): ByteRange | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === '') return Number(to) > 0 ? { suffix: Number(to) } : undefined
  const offset = Number(from)
  if (to === '') return { offset }
  return Number(to) < offset ? undefined : { offset, length: Number(to) - offset + 1 }
}
