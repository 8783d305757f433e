import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { type ByteStream, formatFilename, type RandomAccessFile } from '@sqlstream/ltx'
import { CLIError } from './cli-error.ts'
import { allFiles, type OpenReplicaOptions, openReplica, readCatalog } from './open-replica.ts'

const CHUNK = 256 * 1024

/** One LTX file, on disk or in a replica. */
export interface LTXSource extends AsyncDisposable {
  /** For people. */
  readonly name: string
  readonly random: RandomAccessFile
  /** The whole file from its beginning. */
  stream(): ByteStream
}

/**
 * Opens `place` when it is a file on disk, else the file `name` of the replica at `place`.
 *
 * @throws CLIError `file-missing`, `usage`
 */
export async function openLTXSource(
  place: string,
  name: string | undefined,
  options: OpenReplicaOptions,
): Promise<LTXSource> {
  if (name !== undefined) return replicaSource(place, name, options)
  const info = await stat(place).catch(() => undefined)
  if (info?.isFile()) return localSource(place, await open(place, 'r'), info.size)
  if (info?.isDirectory() || /^[a-z][a-z0-9+.-]*:\/\//i.test(place)) {
    throw new CLIError(
      'usage',
      `which file of ${place}?`,
      'sqlstream ltx list shows them; add a name after the URL',
    )
  }
  throw new CLIError('file-missing', `there is no file ${place}`)
}

function localSource(path: string, handle: FileHandle, size: number): LTXSource {
  return {
    name: basename(path),
    random: {
      size,
      async read(offset, length) {
        const buffer = new Uint8Array(Math.max(0, Math.min(length, size - offset)))
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset)
        return buffer.subarray(0, bytesRead)
      },
    },
    stream: () => handle.createReadStream({ start: 0, autoClose: false, highWaterMark: CHUNK }),
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

async function replicaSource(place: string, name: string, options: OpenReplicaOptions): Promise<LTXSource> {
  const named = await openReplica(place, options)
  const files = allFiles(await readCatalog(named, options))
  const [wanted = '', level] = name.split('/').reverse()
  const found = files.filter(
    (file) => formatFilename(file) === wanted && (level === undefined || Number(level) === file.level),
  )
  const file = found[0]
  if (file === undefined) {
    throw new CLIError(
      'file-missing',
      `there is no ${name} in ${named.location.display}`,
      'sqlstream ltx list shows what there is',
    )
  }
  if (found.length > 1) {
    const levels = found.map((each) => `${each.level}/${wanted}`).join(', ')
    throw new CLIError('usage', `${name} exists on several levels`, `choose one of ${levels}`)
  }
  return {
    name: `${file.level}/${wanted}`,
    random: named.replica.randomAccess(file),
    stream: () => named.replica.open(file, options),
    [Symbol.asyncDispose]: () => named[Symbol.asyncDispose](),
  }
}
