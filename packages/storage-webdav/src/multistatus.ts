import type { XMLParser } from 'fast-xml-parser'

/** What PROPFIND asks for. */
export const PROPFIND_BODY =
  '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>'

/** One resource of an answer to PROPFIND. */
export interface Resource {
  /** Decoded path, without a slash at its end. */
  readonly path: string
  readonly isCollection: boolean
  /** Bytes; 0 where the server does not say. */
  readonly size: number
  /** Undefined where the server does not say; so is `etag`. */
  readonly modified: Date | undefined
  /** As the server sends it, quotes and all. */
  readonly etag: string | undefined
}

let parser: Promise<XMLParser> | undefined

const BEGINS = /<(?:[\w.-]+:)?multistatus[\s/>]/
const ENDS = /(?:<\/(?:[\w.-]+:)?multistatus\s*|<(?:[\w.-]+:)?multistatus(?:\s[^>]*)?\/)>\s*$/

/** The answer says itself that something is missing: a server came upon a failure after it had begun. */
export class PartialMultistatus extends Error {
  override readonly name = 'PartialMultistatus'
}

/**
 * @throws Error when it is no such document
 * @throws PartialMultistatus when it breaks off, or goes on behind its end
 */
export async function parseMultistatus(xml: string): Promise<Resource[]> {
  // Servers made with Go's webdav package (rclone) end the document when a file vanishes before they come to it, and only
  // then say that the request failed, behind the document: their status line had gone out as a success.
  if (BEGINS.test(xml) && !ENDS.test(xml))
    throw new PartialMultistatus('the answer does not end as it should')
  parser ??= makeParser()
  const document = (await parser).parse(xml) as unknown
  if (!isTree(document) || !('multistatus' in document))
    throw new Error('the answer is no WebDAV multistatus')
  const multistatus = document['multistatus']
  return isTree(multistatus) ? trees(multistatus['response']).flatMap(resourcesOf) : []
}

type Tree = Readonly<Record<string, unknown>>

async function makeParser(): Promise<XMLParser> {
  // Loaded here: who never opens a WebDAV store does not pay for it.
  const { XMLParser } = await import('fast-xml-parser')
  return new XMLParser({
    removeNSPrefix: true,
    ignoreAttributes: true,
    parseTagValue: false,
    trimValues: true,
  })
}

function resourcesOf(response: Tree): Resource[] {
  const href = text(response['href'])
  // Only what the server has: other properties come with a status of 404.
  const found = trees(response['propstat']).filter((each) => / 200\b/.test(text(each['status']) ?? ''))
  if (href === undefined || found.length === 0) return []
  const properties = Object.assign({}, ...found.map((each) => each['prop'])) as Tree
  const modified = Date.parse(text(properties['getlastmodified']) ?? '')
  return [
    {
      path: pathOf(href),
      isCollection: isTree(properties['resourcetype']) && 'collection' in properties['resourcetype'],
      size: Number(text(properties['getcontentlength']) ?? 0),
      modified: Number.isNaN(modified) ? undefined : new Date(modified),
      etag: text(properties['getetag']),
    },
  ]
}

/** Some servers send a whole address, some a path. */
function pathOf(href: string): string {
  const path = href.replace(/^[a-z]+:\/\/[^/]*/i, '')
  const trimmed = path.replace(/\/+$/, '')
  try {
    return decodeURIComponent(trimmed)
  } catch {
    return trimmed
  }
}

function trees(value: unknown): Tree[] {
  return (Array.isArray(value) ? value : [value]).filter(isTree)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
