import { type ByteStream, mergeFiles } from '@sqlstream/ltx'
import type { BlobBody } from '@sqlstream/storage'
import { type SpoolFile, spoolBody } from './state/spool.ts'

/**
 * What is put of spooled files that follow each other: a small or large one as it is, several as one file with the newest copy of
 * each page. The same files give the same bytes.
 *
 * @throws LTXError when one of them is damaged or they do not meet
 */
export async function mergeSpooled(files: readonly SpoolFile[], signal: AbortSignal): Promise<BlobBody> {
  const [first] = files
  if (first === undefined) throw new RangeError('nothing to upload')
  if (files.length === 1) return spoolBody(first)
  const chunks: Uint8Array[] = []
  for await (const chunk of mergeFiles(files.map(bytesOf), { signal })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function bytesOf(file: SpoolFile): ByteStream {
  const body = spoolBody(file)
  return body instanceof Uint8Array ? once(body) : body.open()
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
