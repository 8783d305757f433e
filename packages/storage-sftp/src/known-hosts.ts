import { createHash, createHmac } from 'node:crypto'

/** One usable line of a known_hosts file. */
export interface KnownHost {
  /** The first field: patterns with commas between, or one hash. */
  readonly hosts: string
  /** "ssh-ed25519", "ssh-rsa", … */
  readonly type: string
  /** The key, base64. */
  readonly key: string
  readonly revoked: boolean
}

/** Reads a known_hosts file. Comments, lines of certificate authorities and lines that are no such lines are left out. */
export function parseKnownHosts(text: string): KnownHost[] {
  const known: KnownHost[] = []
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/)
    if (fields[0]!.startsWith('#')) continue
    const marker = fields[0]!.startsWith('@') ? fields.shift() : undefined
    const [hosts, type, key] = fields
    if (key === undefined || (marker !== undefined && marker !== '@revoked')) continue
    known.push({ hosts: hosts!, type: type!, key, revoked: marker !== undefined })
  }
  return known
}

/** The name under which known_hosts has a server. */
export function knownHostName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`
}

export function matchesKnownHost({ hosts }: KnownHost, name: string): boolean {
  if (hosts.startsWith('|1|')) {
    const [, , salt = '', hash = ''] = hosts.split('|')
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
  }
  const patterns = hosts.split(',')
  const matches = (pattern: string): boolean => wildcard(pattern).test(name)
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))) return false
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern))
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[\\^$.+()|[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'i')
}

/** As ssh shows it: "SHA256:" and base64 without padding. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}
