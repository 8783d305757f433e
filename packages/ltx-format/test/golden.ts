import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ByteStream } from '@sqlstream/ltx'

/** One transaction of a golden manifest, as far as these tests need it. */
export interface GoldenTransaction {
  readonly txid: string
  readonly commit: number
  readonly timestampMs: number
  readonly imageSha256: string
  readonly holes: number
}

/** One file of a golden manifest. */
export interface GoldenFile {
  readonly path: string
  readonly size: number
  readonly minTxid: string
  readonly maxTxid: string
  readonly timestampMs: number
  readonly flags: number
  readonly pageSize: number
  readonly commit: number
  readonly fileChecksum: string
}

interface Manifest {
  readonly transactions: readonly GoldenTransaction[]
  readonly files: readonly GoldenFile[]
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const shared = process.env['SQLSTREAM_SHARED'] ?? join(root, '../shared')

/** The golden data folder. */
export const golden: string = join(shared, 'golden')

/** The three sets that Litestream 0.5.17 made, each with the folder of its full replica. */
export const goldenSets: readonly { readonly name: string; readonly replica: string }[] = [
  { name: 'l0-plain', replica: 'replica' },
  { name: 'l0-shrink', replica: 'replica' },
  { name: 'levels', replica: 'replica-before-retention' },
]

export function readManifest(set: string): Manifest {
  return JSON.parse(readFileSync(join(golden, 'litestream-0.5.17', set, 'manifest.json'), 'utf8')) as Manifest
}

export function readGolden(set: string, ...path: string[]): Uint8Array {
  return readFileSync(join(golden, 'litestream-0.5.17', set, ...path))
}

/** Bytes as a stream of chunks of one size. */
export async function* streamOf(bytes: Uint8Array, chunkSize = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkSize) yield bytes.subarray(at, at + chunkSize)
}

export async function collect(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
