import { createHash } from 'node:crypto'
import { crc32c } from './crc32c.ts'

/** A refused request. */
export class GCSRefusal extends Error {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** A version of an object. */
export interface GCSObject {
  readonly bytes: Buffer
  readonly resource: GCSResource
}

/** Its JSON. 64-bit numbers are strings. */
export interface GCSResource {
  readonly kind: 'storage#object'
  readonly id: string
  readonly bucket: string
  readonly name: string
  readonly generation: string
  readonly metageneration: string
  readonly size: string
  readonly md5Hash: string
  readonly crc32c: string
  readonly etag: string
  readonly contentType: string
  readonly contentEncoding?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly timeCreated: string
  readonly updated: string
}

/** What a client says of an object that it makes. */
export interface GCSMetadata {
  readonly name?: string
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly md5Hash?: string
  readonly crc32c?: string
}

/** The objects of one bucket. A condition and the change that it guards are one step. */
export class GCSBucket {
  readonly name: string
  readonly #objects = new Map<string, GCSObject>()
  readonly #nextGeneration: () => string
  #previous: { readonly name: string; readonly object: GCSObject | undefined } | undefined

  constructor(name: string, nextGeneration: () => string) {
    this.name = name
    this.#nextGeneration = nextGeneration
  }

  /** In byte order. @param stale as before the last change */
  names(stale = false): string[] {
    const names = [...this.#objects.keys()].filter((name) => this.find(name, stale) !== undefined)
    if (stale && this.#previous?.object !== undefined && !this.#objects.has(this.#previous.name)) {
      names.push(this.#previous.name)
    }
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  /** @param stale as before the last change */
  find(name: string, stale = false): GCSObject | undefined {
    return stale && this.#previous?.name === name ? this.#previous.object : this.#objects.get(name)
  }

  /** @throws GCSRefusal 404, or 412 and 304 by the conditions */
  read(name: string, query: URLSearchParams, stale = false): GCSObject {
    const object = this.find(name, stale)
    const generation = query.get('generation')
    if (object === undefined || (generation !== null && generation !== object.resource.generation)) {
      throw new GCSRefusal(404, 'notFound', `No such object: ${this.name}/${name}`)
    }
    checkConditions(object.resource, query)
    return object
  }

  /** @throws GCSRefusal 412 by the conditions, 400 when the bytes have another hash */
  write(name: string, bytes: Buffer, metadata: GCSMetadata, query: URLSearchParams): GCSObject {
    checkConditions(this.#objects.get(name)?.resource, query)
    const hashes = {
      md5Hash: createHash('md5').update(bytes).digest('base64'),
      crc32c: crc32c(bytes),
    }
    for (const kind of ['md5Hash', 'crc32c'] as const) {
      if (metadata[kind] === undefined || metadata[kind] === hashes[kind]) continue
      const named = kind === 'md5Hash' ? 'MD5 hash' : 'CRC32C'
      const message = `Provided ${named} "${metadata[kind]}" doesn't match calculated ${named} "${hashes[kind]}".`
      throw new GCSRefusal(400, 'invalid', message)
    }
    const generation = this.#nextGeneration()
    const now = new Date().toISOString()
    const resource: GCSResource = {
      kind: 'storage#object',
      id: `${this.name}/${name}/${generation}`,
      bucket: this.name,
      name,
      generation,
      metageneration: '1',
      size: String(bytes.length),
      ...hashes,
      etag: etagOf(generation, '1'),
      contentType: metadata.contentType ?? 'application/octet-stream',
      ...(metadata.contentEncoding === undefined ? {} : { contentEncoding: metadata.contentEncoding }),
      ...(metadata.metadata === undefined ? {} : { metadata: metadata.metadata }),
      timeCreated: now,
      updated: now,
    }
    return this.#change(name, { bytes, resource })
  }

  /** Changes user metadata alone. */
  patch(name: string, { metadata }: GCSMetadata, query: URLSearchParams): GCSObject {
    const { bytes, resource } = this.read(name, query)
    const metageneration = String(Number(resource.metageneration) + 1)
    const etag = etagOf(resource.generation, metageneration)
    const updated = new Date().toISOString()
    const merged = { ...resource.metadata, ...metadata }
    return this.#change(name, {
      bytes,
      resource: { ...resource, metadata: merged, metageneration, etag, updated },
    })
  }

  remove(name: string, query: URLSearchParams): void {
    this.read(name, query)
    this.#change(name, undefined)
  }

  #change<T extends GCSObject | undefined>(name: string, object: T): T {
    this.#previous = { name, object: this.#objects.get(name) }
    if (object === undefined) this.#objects.delete(name)
    else this.#objects.set(name, object)
    return object
  }
}

/** @throws GCSRefusal 412 conditionNotMet; 304 for a not-match of what is there */
export function checkConditions(
  current: GCSResource | undefined,
  query: URLSearchParams,
  prefix = 'if',
): void {
  for (const kind of ['generation', 'metageneration'] as const) {
    const name = `${prefix}${kind[0]!.toUpperCase()}${kind.slice(1)}`
    const match = query.get(`${name}Match`)
    const notMatch = query.get(`${name}NotMatch`)
    for (const given of [match, notMatch]) {
      if (given !== null && !/^\d+$/.test(given))
        throw new GCSRefusal(400, 'invalid', `Invalid value for ${name}`)
    }
    const actual = current?.[kind] ?? (kind === 'generation' ? '0' : undefined)
    if (match !== null && match !== actual) throw notMet()
    if (notMatch !== null && notMatch === actual)
      throw current === undefined ? notMet() : new GCSRefusal(304, '', '')
  }
}

function notMet(): GCSRefusal {
  const message = 'At least one of the pre-conditions you specified did not hold.'
  return new GCSRefusal(412, 'conditionNotMet', message)
}

function etagOf(generation: string, metageneration: string): string {
  return Buffer.from(`${generation}/${metageneration}`).toString('base64')
}
