import { InputList } from '@sqlstream/replica'
import { type BlobBody, collectBody } from '@sqlstream/storage'
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
  const inputs = new InputList()
  for (const file of files) {
    const body = spoolBody(file)
    if (body instanceof Uint8Array) inputs.addBytes(body)
    else inputs.addStream(body.open())
  }
  return collectBody({ open: () => inputs.merge({ signal, reuse: true }) })
}
